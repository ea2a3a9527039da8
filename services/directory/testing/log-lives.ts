/**
 * Lives of logs in processes that end anywhere, among witnesses that stay; and what has to be so of each log after all
 * of them. For tests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { followEvents, nothingKnown } from '@island/protocol/transparency/event-chain.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { readLeaf } from '@island/protocol/transparency/leaves.ts';
import { parseNote, parseVkey } from '@island/protocol/transparency/note.ts';
import { decodeEntries, tileReader } from '@island/protocol/transparency/tiles.ts';
import { verifyConsistency } from '@island/protocol/transparency/tree.ts';
import { consistencyProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { pause } from '../../kit/backoff.ts';
import { obtainIdentity } from '../../kit/mtls.ts';
import { testPki } from '../../kit/testing/pki.ts';
import type { DirectoryLog } from '../log/log.ts';
import { type LifePlan, type LogLife, openLife } from './log-life.ts';
import {
  type Handle,
  type Shown,
  type WatchingWitness,
  watchingWitness,
} from './watching-witness.ts';

/** Milliseconds for a life that nothing happens to. */
const patience = 20_000;
const program = join(import.meta.dirname, 'doomed.ts');

/**
 * Where a life ends: at a step of its own, by number or name; while a witness has its question of that number, `heard`
 * and not looked at, or `signed` and not answered; or when somebody else says so.
 */
export interface Death {
  step?: number | string;
  question?: { number: number; when: 'heard' | 'signed' };
  signal?: AbortSignal;
}

/** What a witness, by its number, does with a question. */
export type Conduct = (witness: number, handle: Handle) => ReturnType<Handle>;

export interface Ended {
  /** The step at which it killed itself. */
  killed?: string;
  /** Steps of a life that came to its end. */
  over?: number;
}

export interface LogLives extends AsyncDisposable {
  witnesses: readonly WatchingWitness[];
  /** By folder; without it, what witnesses do. */
  conducts: Map<string, Conduct>;
  /** Every checkpoint of the log in this folder that a witness was shown. */
  shown(plan: LifePlan): Shown[];
  plan(dir: string, changes: LifePlan['changes'], quorum?: number): LifePlan;
  /** In a process of its own. */
  dying(plan: LifePlan, death: Death): Promise<Ended>;
  /** In this one. */
  living(plan: LifePlan): Promise<LogLife>;
  /**
   * A life that nothing happens to, in this process, up to its end; then all that is to be so of its log.
   * @returns its newest checkpoint
   * @throws what is not so, and where it takes too long
   */
  finished(plan: LifePlan): Promise<string>;
}

export async function logLives(count: number): Promise<LogLives> {
  await using held = new AsyncDisposableStack();
  const pki = held.use(await testPki());
  const socket = join(pki.sockets, 'public.sock');
  const identity = held.use(await obtainIdentity({ name: 'public', socket }));
  const conducts = new Map<string, Conduct>();
  /** Folders by the origins of their logs. */
  const folders = new Map<string, string>();
  const witnesses: WatchingWitness[] = [];
  for (let n = 0; n < count; n++) {
    const asked = (origin: string, handle: Handle) => {
      const conduct = conducts.get(folders.get(origin) ?? '');
      return conduct === undefined ? handle() : conduct(n, handle);
    };
    witnesses.push(held.use(await watchingWitness(identity.current(), asked)));
  }
  const ca = hex(Buffer.from(pki.caFingerprint, 'base64url'));
  /** Notes that a log has on its disk, or has shown as published, by its origin. */
  const said = new Map<string, Set<string>>();

  async function trust(vkey: string, { dir }: LifePlan): Promise<void> {
    folders.set(parseVkey(vkey).name, dir);
    for (const witness of witnesses) await witness.trust(vkey);
  }
  function hear(note: string): void {
    const { origin } = parseCheckpoint(parseNote(note).text);
    said.set(origin, (said.get(origin) ?? new Set()).add(note));
  }

  async function living(plan: LifePlan): Promise<LogLife> {
    return openLife(plan, {
      step: () => undefined,
      async say(what, text) {
        if (what === 'log') await trust(text, plan);
        else hear(text);
      },
    });
  }

  const stack = held.move();
  return {
    ...{ witnesses, conducts, living },
    shown: ({ dir }) =>
      witnesses.flatMap(({ shown }) => shown.filter(({ origin }) => folders.get(origin) === dir)),
    plan: (dir, changes, quorum = count) => ({
      ...{ dir, changes, quorum, ca },
      witnesses: witnesses.map(({ vkey, url }) => ({ vkey, url })),
    }),
    async dying(plan, { step = 0, question, signal }) {
      const child = spawn(process.execPath, [program, JSON.stringify(plan), String(step)], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { NODE_COMPILE_CACHE: join(pki.dir, 'compiled') },
      });
      // It may be dead when it is answered.
      child.stdin.on('error', () => undefined);
      const ended: Ended = {};
      const exited = once(child, 'exit');
      const kill = () => child.kill('SIGKILL');
      signal?.addEventListener('abort', kill);
      if (question !== undefined) conducts.set(plan.dir, killing(question, kill));
      for await (const line of createInterface({ input: child.stdout })) {
        const [what = '', value] = /^(\w+) (.*)$/.exec(line)?.slice(1) ?? [];
        const told: unknown = JSON.parse(value ?? 'null');
        if (what === 'log') await trust(String(told), plan).then(() => child.stdin.write('\n'));
        else if (what === 'killed') ended.killed = String(told);
        else if (what === 'over') ended.over = Number(told);
        else hear(String(told));
      }
      const [code, by] = (await exited) as [number | null, string | null];
      signal?.removeEventListener('abort', kill);
      if (question !== undefined) conducts.delete(plan.dir);
      if (by !== 'SIGKILL' && code !== 0) throw new Error(`a life ended with ${code ?? by}`);
      return ended;
    },
    async finished(plan) {
      await using life = await living(plan);
      const given = new AbortController();
      const late = pause(patience, given.signal, true).then(() => {
        if (!given.signal.aborted) throw new Error(`it waits:\n${life.lines.join('')}`);
      });
      await Promise.race([life.live(), late]).finally(() => given.abort());
      const { origin } = life.log.keys;
      const asked = witnesses.flatMap(({ shown }) =>
        shown.filter((each) => each.origin === origin),
      );
      await checkHistory(life.log, [...asked.map(({ note }) => note), ...(said.get(origin) ?? [])]);
      await checkChanges(life, plan.changes);
      return life.log.checkpoint();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A conduct that kills who asks, at that question. */
function killing({ number, when }: NonNullable<Death['question']>, kill: () => void): Conduct {
  let questions = 0;
  return async (_witness, handle) => {
    questions += 1;
    if (questions !== number) return handle();
    if (when === 'signed') await handle();
    kill();
    return undefined;
  };
}

/** Of each size there is one checkpoint, with one signature; all of them are of one history. */
async function checkHistory(log: DirectoryLog, notes: readonly string[]): Promise<void> {
  const { keyId } = parseVkey(log.keys.vkey);
  const bySize = new Map<number, { root: Uint8Array; signed: string }>();
  for (const note of notes) {
    const { text, signatures } = parseNote(note);
    const { size, root } = parseCheckpoint(text);
    const ours = signatures.filter((each) => hex(each.keyId) === hex(keyId));
    const signed = `${text}${ours.map(({ signature }) => hex(signature)).join(' ')}`;
    const before = bySize.get(size) ?? { root, signed };
    if (before.signed !== signed)
      throw new Error(`two checkpoints of size ${size}:\n${before.signed}\n${signed}`);
    bySize.set(size, before);
  }
  const newest = parseCheckpoint(parseNote(log.checkpoint()).text);
  const read = tileReader(newest, (_path, tile) => log.tile(tile));
  let old: { size: number; root: Uint8Array } | undefined;
  for (const [size, { root }] of [...bySize].sort(([a], [b]) => a - b)) {
    if (size > newest.size) throw new Error(`a checkpoint of size ${size} is lost`);
    if (hex(await rootAt(size, read)) !== hex(root))
      throw new Error(`size ${size} is of another history`);
    if (old !== undefined) {
      const proof = await consistencyProof(old.size, size, read);
      verifyConsistency({
        oldSize: old.size,
        oldRoot: old.root,
        newSize: size,
        newRoot: root,
        proof,
      });
    }
    old = { size, root };
  }
}

/** Each change is in the log once, those of a label in their order, and all of them are proved to whoever asks. */
async function checkChanges({ log }: LogLife, changes: LifePlan['changes']): Promise<void> {
  const { size } = parseCheckpoint(parseNote(log.checkpoint()).text);
  const versions = new Map<string, number>();
  let events = 0;
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    for (const entry of decodeEntries(await log.tile({ level: 'entries', index, width }), width)) {
      const leaf = readLeaf(entry);
      if (leaf.type !== 1) continue;
      const place = hex(leaf.index);
      const next = (versions.get(place) ?? 0) + 1;
      if (leaf.version !== next) throw new Error(`version ${leaf.version} instead of ${next}`);
      versions.set(place, next);
      events += 1;
    }
  }
  const names = new Map(
    changes.map(([name]) => [name, changes.filter(([of]) => of === name).length]),
  );
  const expected = names.size + changes.length;
  if (events !== expected) throw new Error(`${events} events in the log instead of ${expected}`);
  const pins = await log.pinned();
  for (const [name, version] of names) {
    const labels = [nameLabel(name), accountOfName];
    const [named, account] = checkAnswer(await log.lookUp(name), {
      log: pins,
      labels,
      allowUnwitnessed: false,
    }).labels;
    if (!named?.present || !account?.present) throw new Error(`${name} is not there`);
    if (account.version !== version) throw new Error(`${name}: ${account.version}, not ${version}`);
    followEvents(nothingKnown, await log.history(name, 0), account);
  }
}
