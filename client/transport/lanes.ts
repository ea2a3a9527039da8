/**
 * Connections on which nobody is signed in, apart by lane: what goes to one person shares none with what
 * goes to another, or to one's own account, so that an island can't put together by its connections whom
 * somebody writes to. docs/protocol/dm.md §6.1
 *
 * Invariant: a connection carries one lane and nothing else; what has no lane has one to itself, which
 * ends with the answer. No TLS session is kept: one that is resumed would join two connections.
 */
import { Agent } from 'undici';

export interface Lanes extends AsyncDisposable {
  /** `lane`: for whom; undefined: alone. */
  on<T>(lane: string | undefined, work: (agent: Agent) => Promise<T>): Promise<T>;
}

/** Milliseconds after which a connection on which nothing happens is closed. */
const idle = 10_000;
/** Lanes that are open at once; the one that was used least recently ends for another. */
const mostLanes = 32;
/** Connections of a lane, at most: what hangs does not hold up the next. */
const connections = 2;

export function openLanes({ connect, ...options }: Agent.Options): Lanes {
  const lanes = new Map<string, Agent>();
  /** Alone, or on their way out. */
  const others = new Set<Agent>();
  const open = (): Agent =>
    new Agent({
      ...options,
      connections,
      keepAliveTimeout: idle,
      keepAliveMaxTimeout: idle,
      connect: { ...connect, maxCachedSessions: 0 },
    });

  /** What is under way on it comes to its end. */
  function end(agent: Agent): void {
    others.add(agent);
    const ended = () => others.delete(agent);
    agent.close().then(ended, ended);
  }

  function agentOf(lane: string): Agent {
    const agent = lanes.get(lane) ?? open();
    // The last used stands last.
    lanes.delete(lane);
    lanes.set(lane, agent);
    for (const [other, least] of lanes) {
      if (lanes.size <= mostLanes) break;
      lanes.delete(other);
      end(least);
    }
    return agent;
  }

  return {
    async on(lane, work) {
      if (lane !== undefined) return work(agentOf(lane));
      const agent = open();
      others.add(agent);
      try {
        return await work(agent);
      } finally {
        others.delete(agent);
        await agent.destroy();
      }
    },
    async [Symbol.asyncDispose]() {
      const all = [...lanes.values(), ...others];
      await Promise.all(all.map((agent) => agent.destroy()));
    },
  };
}
