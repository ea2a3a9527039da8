/** Names for emoji that are hard to type at a terminal. */
const names: Readonly<Record<string, string>> = {
  '+1': '👍',
  '-1': '👎',
  heart: '❤️',
  laugh: '😂',
  smile: '🙂',
  sad: '😢',
  wow: '😮',
  party: '🎉',
  thanks: '🙏',
  eyes: '👀',
  ok: '👌',
  yes: '✅',
  no: '❌',
};

/** What is no name is taken as it is. */
export const emojiOf = (text: string): string => names[text.replace(/^:(.+):$/u, '$1')] ?? text;
