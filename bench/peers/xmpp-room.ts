/** People in one persistent room of an XMPP server, over TLS (XEP-0045). */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { cpuByName } from '../process-cpu.ts';
import { type Room, room } from '../room-load.ts';

const host = 'bench.local';
const place = `lobby@conference.${host}`;
const stream = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${host}' version='1.0'>`;
/** Ends a message that has content. */
const mark = '</body>';

/** Says one thing after another, each when what it waits for has come. */
const greeting = (user: string): readonly [said: string, awaited: RegExp][] => {
  const plain = Buffer.from(`\0${user}\0password`).toString('base64');
  const bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>one</resource></bind>";
  return [
    [stream, /<\/stream:features>/],
    [
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain}</auth>`,
      /<success/,
    ],
    [stream, /<\/stream:features>/],
    [`<iq type='set' id='bind'>${bind}</iq>`, /<\/bind>/],
    ['<presence/>', /./],
    [
      `<presence to='${place}/${user}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>`,
      /code=['"]110['"]/,
    ],
  ];
};

/** What the server shows, as PEM, and what its clients know it by. */
export interface PeerTls {
  key: string;
  certificates: string;
  root: string;
}

export async function xmppRoom(
  { name, port, pid }: { name: string; port: number; pid: number },
  { root }: PeerTls,
): Promise<Room> {
  await using held = new AsyncDisposableStack();
  const texts = Array.from({ length: 64 }, () =>
    randomBytes(room.bytes).toString('base64url').slice(0, room.bytes),
  );
  let received = 0;
  const people: ((id: string, text: string) => void)[] = [];
  for (let at = 0; at < room.occupants; at++) {
    const socket = connect({ host: 'localhost', port, ca: root });
    await once(socket, 'secureConnect');
    held.defer(() => void socket.destroy());
    socket.setNoDelay(true).setEncoding('latin1');
    let answer = '';
    let told = (): void => undefined;
    const take = (more: string): void => {
      answer += more;
      told();
    };
    socket.on('data', take);
    const closed = once(socket, 'close').then(() => {
      throw new Error(`${name} ended: ${answer.slice(-300)}`);
    });
    closed.catch(() => undefined);
    for (const [said, awaited] of greeting(`user${at}`)) {
      answer = '';
      socket.write(said);
      const came = new Promise<void>((resolve) => {
        told = () => awaited.test(answer) && resolve();
      });
      await Promise.race([came, closed]);
    }
    socket.off('data', take);
    let rest = '';
    socket.on('data', (text: string) => {
      const all = rest + text;
      for (let from = all.indexOf(mark); from !== -1; from = all.indexOf(mark, from + 1))
        received += 1;
      rest = all.slice(1 - mark.length);
    });
    people.push((id, body) =>
      socket.write(
        `<message type='groupchat' to='${place}' id='${id}'><body>${body}</body></message>`,
      ),
    );
  }
  const stack = held.move();
  return {
    prepare: async () => undefined,
    post: (at) => people[at % people.length]?.(`m${at}`, texts[at % texts.length] ?? ''),
    received: () => received,
    cpu: () => cpuByName(new Map([[name, pid]])),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
