/** Everything that was ever sent, sent again byte for byte, and what the island answers to it. */
import type { Sent } from '@island/appliance/verify/recording.ts';
import { backoff, pause } from '@island/client/backoff.ts';
import type { Transport } from '@island/client/transport/transport.ts';

export interface Replayed {
  /** `POST /v1/login`. */
  what: string;
  /** The code of a refusal; `answered` for anything else. */
  code: string;
  /** What would be a gain: names of fields in the answer. */
  gained: string[];
}

/** Times that a request is repeated that nobody but the edge has answered. */
const patience = 5;

/** An answer with one of these gives something that the person had to prove themselves for. */
const prizes = ['access', 'refresh', 'joining', 'share', 'grant', 'secret'];

export async function replay(transport: Transport, sent: readonly Sent[]): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  for (const { method, path, token, body } of sent) {
    // Attachments belong to no account: whoever sends their parts again gains none.
    if (method === 'SOCKET' || method === 'PUT') continue;
    const what = `${method} ${path.replace(/\/people\/[^/]+/, '/people/:name').replace(/\/\d+$/, '/:after')}`;
    const ask = () =>
      path === '/v1/send'
        ? transport.send(body)
        : transport.request({
            method,
            path,
            ...(method === 'POST' && { body: Buffer.from(body).toString('utf8') }),
            ...(token !== undefined && { token }),
          });
    let answer = await ask();
    // The edge answers for a gateway that is busy, in its own words: that says nothing.
    for (let n = 0; n < patience && answer.status >= 500 && !fieldsOf(answer.body)['code']; n++) {
      await pause(backoff(n));
      answer = await ask();
    }
    const fields = fieldsOf(answer.body);
    const code = answer.status < 300 ? 'answered' : String(fields['code']);
    const gained = prizes.filter((prize) => typeof fields[prize] === 'string');
    replayed.push({ what, code, gained });
  }
  return replayed;
}

function fieldsOf(body: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return {};
  }
}

/** `POST /v1/login: challenge_expired`, each once. */
export const summary = (replayed: readonly Replayed[]): string[] =>
  [...new Set(replayed.map(({ what, code }) => `${what}: ${code}`))].sort();
