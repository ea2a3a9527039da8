/** One page for a person's browser: a heading and a sentence, nothing to load, nothing to run. docs/protocol/http.md §5 */

export interface Page {
  /** HTTP. */
  status: number;
  title: string;
  /** What happened, and what to do. */
  text: string;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? '');

/** The security policy that goes along (http.ts) lets such a page load and run nothing at all. */
export const pageHtml = ({ title, text }: Page): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
<p>${escaped(text)}</p>
</main>
</body>
</html>
`;
