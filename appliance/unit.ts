/**
 * One supervised process: started, watched, restarted when it dies, ended in order. What it is (an
 * engine or one of ours) is in its plan. docs/decisions/031-supervisor.md
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { Stated, statedFrom } from '@island/provisioning/stated.ts';
import { tether } from '@island/provisioning/tool.ts';
import type { KeyHolder, UnitName } from './compose.ts';
import type { ProcessKeyWire, ProcessMessage, SupervisorMessage } from './ipc-messages.ts';
import type { LogFolder } from './log-folder.ts';

export interface UnitPlan {
  name: UnitName;
  /** For people. */
  label: string;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Working folder; the supervisor's own unless given. */
  cwd?: string;
  /** One of ours tells over IPC when it is ready; an engine is asked by this until it answers. */
  answers?: (signal: AbortSignal) => Promise<void>;
  /** Keys of the services in one of ours, as they are now. */
  keys?: () => ProcessKeyWire;
  /** Milliseconds between SIGTERM and SIGKILL. */
  patience: number;
  /** Milliseconds between two questions whether it still answers, for tests. */
  askEvery?: number;
}

export type UnitState = 'waiting' | 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped';

export interface UnitEvents {
  /** A process began or ended: the list of children changed. */
  changed(): void;
  certificate(name: string, notAfter: number): void;
  settled?(service: KeyHolder, version: number): void;
}

/** Starts that fail in a row before the first success: then the start of the island fails. */
const failuresAtStart = 3;
/** A process that lived this long starts anew with the shortest wait. */
const steady = 30_000;
/** The wait before the n-th restart in a row, ms. */
const waits = [0, 250, 500, 1000, 2000, 5000] as const;
/** Each process is asked this often whether it still answers (ms) … */
const askEvery = 5000;
/** … and is ended, so that it is started anew, after this many times in a row without an answer. */
const unanswered = 6;

export class Unit {
  readonly plan: UnitPlan;
  state: UnitState = 'waiting';
  restarts = 0;
  /** Unix ms of the present process's start. */
  since = 0;
  child: ChildProcess | undefined;
  /** Resolves at the first time it answers; rejects with one sentence when it will not start. */
  readonly up: Promise<void>;
  readonly #up = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  readonly #log: LogFolder;
  readonly #events: UnitEvents;
  #told = '';
  #life: Promise<void> = Promise.resolve();

  constructor(plan: UnitPlan, log: LogFolder, events: UnitEvents) {
    this.plan = plan;
    this.#log = log;
    this.#events = events;
    this.up = this.#up.promise;
    this.up.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Runs it until `stop`. One of ours loads at once and starts when `needs` is met; an engine waits. */
  run(needs: Promise<unknown>): void {
    this.#life = this.#live(needs).catch((error: unknown) => this.#up.reject(error));
  }

  async #live(needs: Promise<unknown>): Promise<void> {
    if (this.plan.answers !== undefined) await Promise.race([needs, this.#stopped()]);
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      const born = Date.now();
      const reached = await this.#once(needs).catch((error: unknown) => {
        // The system refused (disk, memory, rights): tried again like any other end.
        this.#told = statedFrom(error)?.message ?? String(error);
        return false;
      });
      if (this.#stop.signal.aborted) break;
      failures = reached && Date.now() - born > steady ? 0 : failures + 1;
      if (!reached && failures >= failuresAtStart) this.#up.reject(await this.#whyNot());
      this.restarts += 1;
      this.state = 'restarting';
      await wait(waits[Math.min(failures, waits.length) - 1] ?? 0, undefined, {
        signal: this.#stop.signal,
      }).catch(() => undefined);
    }
    this.state = 'stopped';
    this.#up.reject(new Stated(`${this.plan.label} was stopped.`));
  }

  async #stopped(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stop.signal.addEventListener('abort', () => resolve());
    await promise;
  }

  /** One life of the process; tells whether it ever answered. */
  async #once(needs: Promise<unknown>): Promise<boolean> {
    const child = await this.#spawn();
    if (child === undefined) return false;
    const ended = Promise.withResolvers<void>();
    const over = new AbortController();
    child.once('error', () => ended.resolve());
    child.once('exit', () => ended.resolve());
    if (child.exitCode !== null || child.signalCode !== null) ended.resolve();
    let reached = false;
    const ready = (): void => {
      if (over.signal.aborted || this.#stop.signal.aborted) return;
      reached = true;
      this.state = 'ready';
      this.#up.resolve();
    };
    const asked = AbortSignal.any([over.signal, this.#stop.signal]);
    if (this.plan.answers !== undefined) {
      const answers = this.plan.answers;
      const watchIt = (): void => {
        ready();
        const watch = this.#watch(child, asked, () =>
          answers(asked).then(watch.heard, () => undefined),
        );
      };
      answers(asked).then(watchIt, () => undefined);
    } else {
      this.#converse(child, asked, ready);
      needs.then(
        () => tell(child, { start: this.plan.keys?.() ?? {} }),
        () => undefined,
      );
    }
    await ended.promise;
    over.abort();
    this.child = undefined;
    this.#events.changed();
    return reached;
  }

  async #spawn(): Promise<ChildProcess | undefined> {
    const [file = '', ...args] = [...(await tether('TERM')), ...this.plan.command];
    if (this.#stop.signal.aborted) return undefined;
    this.state = 'starting';
    this.since = Date.now();
    const ours = this.plan.answers === undefined;
    const child = this.#log.withFile(this.plan.name, (log) =>
      spawn(file, args, {
        env: this.plan.env,
        ...(this.plan.cwd !== undefined && { cwd: this.plan.cwd }),
        // A session of its own: Ctrl-C in the terminal is for the supervisor, which ends them in order.
        detached: true,
        stdio: ours ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      }),
    );
    this.child = child;
    if (child.pid !== undefined) this.#events.changed();
    return child;
  }

  /** Listens to one of ours. */
  #converse(child: ChildProcess, signal: AbortSignal, ready: () => void): void {
    const watch = this.#watch(child, signal, () => tell(child, 'ping'));
    child.on('message', (message: ProcessMessage) => {
      watch.heard();
      if ('ready' in message) ready();
      if ('failed' in message) this.#told = message.failed;
      if ('settled' in message) {
        this.#events.settled?.(message.settled.service, message.settled.version);
      }
      if ('certificate' in message) {
        this.#events.certificate(message.certificate.name, message.certificate.notAfter);
      }
    });
    // A write to a process that just died must not end the supervisor.
    child.on('error', () => undefined);
  }

  /**
   * Counts questions without an answer, not time: a machine that slept must not find everything dead.
   */
  #watch(child: ChildProcess, signal: AbortSignal, ask: () => void): { heard(): void } {
    let silent = 0;
    const timer = setInterval(() => {
      if (++silent > unanswered) child.kill('SIGKILL');
      else ask();
    }, this.plan.askEvery ?? askEvery);
    signal.addEventListener('abort', () => clearInterval(timer));
    return {
      heard() {
        silent = 0;
      },
    };
  }

  /** Hands a running process its keys anew: there are newer ones. */
  renewKeys(): void {
    if (this.child !== undefined && this.plan.keys !== undefined)
      tell(this.child, { keys: this.plan.keys() });
  }

  async #whyNot(): Promise<Stated> {
    const tail = (await this.#log.tail(this.plan.name)).trimEnd().split('\n').at(-1) ?? '';
    const reason = this.#told === '' ? `Its last words: ${tail.slice(0, 300)}` : this.#told;
    return new Stated(
      `${this.plan.label} does not start. ${reason} (More in ${this.#log.path(this.plan.name)})`,
    );
  }

  /** Ends it: SIGTERM, and SIGKILL when its patience is over. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.child !== undefined) this.state = 'stopping';
    const timer = setTimeout(() => this.child?.kill('SIGKILL'), this.plan.patience);
    this.child?.kill('SIGTERM');
    await this.#life;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.#stop.abort();
    this.child?.kill('SIGKILL');
  }
}

function tell(child: ChildProcess, message: SupervisorMessage): void {
  if (child.connected) child.send(message, () => undefined);
}
