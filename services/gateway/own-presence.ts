/**
 * What one device says of its person's presence: said again while its socket lives, taken back when it ends. Who says
 * nothing is not told of at all. docs/protocol/socket.md §6
 */
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Presence } from '@island/protocol/wire/space-routes.ts';
import type { Bus } from '../kit/bus.ts';
import { spaces } from '../spaces/contract.ts';

export interface OwnPresenceParts {
  account: AccountId;
  device: DeviceId;
  bus: Bus;
  ticks: () => number;
}

/** Milliseconds between two changes that are told, and after which one that stands is said again. */
const leastPause = 5_000;
const renewal = (limits.presenceSeconds / 2) * 1000;

export class OwnPresence implements Disposable {
  readonly #parts: OwnPresenceParts;
  #wanted: Presence = 'off';
  #told: Presence = 'off';
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(parts: OwnPresenceParts) {
    this.#parts = parts;
  }

  say(state: Presence): void {
    this.#wanted = state;
    this.tick();
  }

  tick(): void {
    const since = this.#parts.ticks() - this.#toldAt;
    const changed = this.#wanted !== this.#told && since >= leastPause;
    if (changed || (this.#told !== 'off' && since >= renewal)) this.#tell();
  }

  [Symbol.dispose](): void {
    this.#wanted = 'off';
    if (this.#told !== 'off') this.#tell();
  }

  #tell(): void {
    const { account, device, bus, ticks } = this.#parts;
    this.#told = this.#wanted;
    this.#toldAt = ticks();
    const state = this.#told;
    // Lost: the next renewal says it again, and what nobody renews is forgotten by itself.
    bus.call(spaces, 'setPresence', { account, device, state }).catch(() => undefined);
  }
}
