/** Where a person can talk: the channels of their servers, and people; what is unread there. */
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import type { Islander } from '../../../islander.ts';
import type { Storage } from '../../../storage/storage.ts';
import { unreadTexts } from '../../channels/unread.ts';
import { cut, fill, widthOf } from '../../screen/columns.ts';
import { channelsInOrder, channelText, titleOf } from '../../servers/shown.ts';
import { harmless } from '../../terminal.ts';
import type { Paint } from '../lines.ts';

export interface ListedPlace {
  /** Over it, where it is the first of a server or of people. */
  head: string | undefined;
  label: string;
  /** By which `/go` opens it. */
  go: string;
  channel: ChannelId | undefined;
  unread: number;
  calls: number;
}

export async function listedPlaces(
  { spaces, channels, conversations, account }: Islander,
  storage: Storage,
): Promise<ListedPlace[]> {
  const found: ListedPlace[] = [];
  for (const state of await spaces.all()) {
    let head: string | undefined = titleOf(state);
    for (const each of channelsInOrder(state, account.account)) {
      if (each.kind !== 'text') continue;
      const unread = await unreadTexts(storage, each.channel, account.account);
      const quiet = (await channels.notify(each.channel)) === 'none';
      const go = `${state.space}/#${each.channel}`;
      const counts = { unread: quiet ? 0 : unread.posts, calls: unread.calls };
      found.push({ head, label: channelText(each), go, channel: each.channel, ...counts });
      head = undefined;
    }
  }
  let head: string | undefined = 'People';
  for (const { name, unread, standing } of await conversations.list()) {
    if (standing === 'blocked') continue;
    found.push({
      head,
      label: harmless(name),
      go: name,
      channel: undefined,
      unread,
      calls: unread,
    });
    head = undefined;
  }
  return found;
}

const countText = ({ unread, calls }: ListedPlace): string =>
  calls > 0 ? `@${calls}` : unread > 0 ? String(unread) : '';

/** As a column at the side of a window; the one that is open is marked, and always seen. */
export function sideLines(
  places: readonly ListedPlace[],
  open: ChannelId,
  { columns, rows, paint }: { columns: number; rows: number; paint: Paint },
): string[] {
  const lines: string[] = [];
  let at = 0;
  for (const place of places) {
    if (place.head !== undefined) {
      if (lines.length > 0) lines.push(' '.repeat(columns));
      lines.push(paint('bold', fill(place.head, columns)));
    }
    const count = countText(place);
    const label = fill(` ${place.label}`, columns - widthOf(count) - 1);
    const here = place.channel === open;
    if (here) at = lines.length;
    const style = here ? 'inverse' : place.calls > 0 ? 'yellow' : place.unread > 0 ? 'none' : 'dim';
    lines.push(paint(style, `${label}${count} `));
  }
  const from = Math.max(0, Math.min(at - Math.floor(rows / 2), lines.length - rows));
  const seen = lines.slice(from, from + rows);
  return [...seen, ...Array.from({ length: rows - seen.length }, () => ' '.repeat(columns))];
}

/** The same as the answer to `/list`. */
export function listLines(places: readonly ListedPlace[], columns: number): string[] {
  return places.flatMap((place) => {
    const count = countText(place);
    const line = cut(`  ${place.label}${count ? `  ${count} new` : ''}`, columns);
    return place.head === undefined ? [line] : [place.head, line];
  });
}
