/** One room with many people in it, at a server whichever it is: everybody speaks in turn, so many posts on the way at once. */
export interface Room extends AsyncDisposable {
  /** Makes so many posts ready, where that is work: it is no part of what is measured. */
  prepare(posts: number): Promise<void>;
  /** Somebody's next post. */
  post(at: number): void;
  /** Posts that came, counted once for everybody to whom each came. */
  received(): number;
  /** CPU seconds so far, by process. */
  cpu(): Promise<ReadonlyMap<string, number>>;
}

export const room = { occupants: 200, inFlight: 20, bytes: 1024 };

export interface Spoken {
  /** A second. */
  rate: number;
  deliveries: number;
  cpu: ReadonlyMap<string, number>;
}

export async function speak(server: Room, seconds: number, most: number): Promise<Spoken> {
  await server.prepare(most);
  const { occupants, inFlight } = room;
  const before = await server.cpu();
  const [first, since] = [server.received(), performance.now()];
  const came = () => (server.received() - first) / occupants;
  let sent = 0;
  while (performance.now() - since < seconds * 1000 && sent < most) {
    while (sent < most && sent - came() < inFlight) server.post(sent++);
    await new Promise(setImmediate);
  }
  while (came() < sent) await new Promise(setImmediate);
  const took = (performance.now() - since) / 1000;
  const after = await server.cpu();
  const cpu = new Map([...after].map(([name, spent]) => [name, spent - (before.get(name) ?? 0)]));
  return { rate: (sent * occupants) / took, deliveries: sent * occupants, cpu };
}
