/** Vectors of what goes over the wire in the clear. docs/protocol/encoding.md, socket.md, dm.md §6 */
import {
  type ClientFrame,
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
  type ServerFrame,
} from '../wire/frames.ts';
import { accountId, channelId, deviceId, envelopeId, spaceId } from '../wire/ids.ts';
import { formatIslandLink, type IslandLink } from '../wire/island-link.ts';
import { decodeSend, encodeSend, orderOf, type Send } from '../wire/send.ts';
import { hex } from '../wire/text.ts';
import { tokenClasses } from '../wire/token.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

export const vectors: VectorFile = {
  name: 'wire',
  document: 'docs/protocol/socket.md, docs/protocol/dm.md §6, docs/protocol/linking.md §1',
  make() {
    const random = seededRandom('wire');
    const account = accountId(hex(random(16)));
    const id = envelopeId(hex(random(16)));
    const body = random(48);
    const client = [
      { type: 'hello', access: 'header.payload.signature' },
      { type: 'ack', seq: 4_294_967_297 },
      { type: 'ping', nonce: 7 },
    ] as const;
    const server = [
      { type: 'ready', account, device: deviceId(1), head: 12 },
      { type: 'envelope', seq: 13, id, request: false, body },
      { type: 'envelope', seq: 14, id, request: true, body },
      { type: 'fault', code: 'rate_limited', text: 'Slower, please.' },
      { type: 'pong', nonce: 7 },
    ] as const;
    const send: Send = {
      tokens: [],
      key: undefined,
      account,
      epoch: 3,
      envelopes: [
        { device: deviceId(1), id, body },
        { device: deviceId(4), id: envelopeId(hex(random(16))), body: random(20) },
      ],
    };
    const sendBytes = encodeSend(send);
    const twice = encodeSend({
      ...send,
      envelopes: [send.envelopes[0], send.envelopes[0]].flatMap((e) => e ?? []),
    });
    const day = 20_000;
    const token = { class: tokenClasses.delivery, day, input: random(32), output: random(64) };
    const paid = { ...send, tokens: [token], key: random(16) };
    const paidBytes = encodeSend(paid);
    const ack = encodeClientFrame(client[1]);
    const flagged = encodeServerFrame(server[2]);
    const pong = encodeServerFrame(server[4]);
    const to = { address: 'https://island.example:8443', caFingerprint: random(32) };
    const links: IslandLink[] = [
      { kind: 'join', ...to, invite: 'kR3-w_9' },
      { kind: 'join', ...to },
      { kind: 'recover', ...to, name: 'ann' },
      { kind: 'link', ...to, name: 'ann', offer: random(16), secret: random(32) },
    ];
    const channel = channelId(hex(random(16)));
    const space = spaceId(hex(random(16)));
    const post = random(40);
    const placed = { seq: 9, accepted: 5, author: account, device: deviceId(2) };
    const channelClient: ClientFrame[] = [
      { type: 'post', request: 1, channel, lists: 3, post },
      { type: 'watch', channels: [channel, channelId(hex(random(16)))] },
      { type: 'unwatch', channels: [channel] },
      { type: 'typing', channel, began: false },
      { type: 'presence', state: 'away' },
    ];
    const channelServer: ServerFrame[] = [
      { type: 'posted', request: 1, seq: 9 },
      { type: 'refused', request: 1, channel, code: 'lists_stale', number: 4 },
      { type: 'post', channel, item: { ...placed, post } },
      { type: 'post', channel, item: { ...placed, gone: random(32) } },
      { type: 'space', space, seq: 5, lists: 6 },
      { type: 'typing', channel, account, began: true },
      { type: 'presence', space, account, state: 'off' },
      { type: 'behind', channel, seq: 8 },
      { type: 'watching', channel, head: 9 },
      { type: 'removed', channel, seqs: [2, 7] },
    ];
    const [, watch = ack, , typing = ack] = channelClient.map(encodeClientFrame);
    const [, , item = ack] = channelServer.map(encodeServerFrame);
    return {
      clientFrames: client.map((frame) => ({ frame, bytes: encodeClientFrame(frame) })),
      channelClientFrames: channelClient.map((frame) => ({
        frame,
        bytes: encodeClientFrame(frame),
      })),
      channelClientFramesRefused: [
        ...refusedForms(watch, decodeClientFrame),
        refused('no channel', Uint8Array.of(1, 6, 0), decodeClientFrame),
        refused('65 channels', changed(watch, 2, 65), decodeClientFrame),
        refused('neither began nor stopped', changed(typing, 18, 3), decodeClientFrame),
      ],
      channelServerFrames: channelServer.map((frame) => ({
        frame,
        bytes: encodeServerFrame(frame),
      })),
      channelServerFramesRefused: [
        ...refusedForms(item, decodeServerFrame),
        refused('an item of no kind', changed(item, 54, 3), decodeServerFrame),
      ],
      clientFramesRefused: [
        ...refusedForms(ack, decodeClientFrame),
        refused('a frame of the other direction', pong, decodeClientFrame),
        refused('a number above 2^53 - 1', changed(ack, 2, 0, 0x20), decodeClientFrame),
      ],
      serverFrames: server.map((frame) => ({ frame, bytes: encodeServerFrame(frame) })),
      serverFramesRefused: [
        ...refusedForms(pong, decodeServerFrame),
        refused('a flag that does not exist', changed(flagged, 26, 2), decodeServerFrame),
      ],
      send: { send, bytes: sendBytes, order: orderOf(sendBytes) },
      paidSend: { send: paid, bytes: paidBytes, order: orderOf(paidBytes) },
      sendRefused: [
        ...refusedForms(sendBytes, decodeSend),
        refused('two envelopes for one device', twice, decodeSend),
        refused('no envelope', encodeSend({ ...send, envelopes: [] }), decodeSend),
        refused('device 0', changed(sendBytes, 25, 0, 0, 0, 0), decodeSend),
        refused('a token twice', encodeSend({ ...paid, tokens: [token, token] }), decodeSend),
        refused('a token of no class', changed(paidBytes, 3, 3), decodeSend),
        refused('17 tokens', changed(paidBytes, 2, 17), decodeSend),
        refused('a delivery key that is there twice', changed(sendBytes, 3, 2), decodeSend),
      ],
      links: links.map((link) => ({ link, text: formatIslandLink(link) })),
    };
  },
};
