/** The island tells a newcomer another key of the VRF, under which its log has people of its own. docs/protocol/transparency.md §6.2 */
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import { firstDeviceList, signDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { commit } from '@island/protocol/transparency/commitment.ts';
import { accountLabel, labelKinds, nameLabel } from '@island/protocol/transparency/label.ts';
import { eventHash } from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { deriveVrfKey, prove } from '@island/protocol/transparency/vrf.ts';
import { testPolicy } from '@island/protocol/vectors/directory-log.ts';
import { accountId, deviceId } from '@island/protocol/wire/ids.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { attacked, caught } from '../testing/attacked.ts';
import { opening } from '../testing/odd-history.ts';
import { person } from '../testing/person.ts';

const strangerKey = deriveVrfKey(randomBytes(32));

/** A list of somebody whom the island made, under bob's name. */
function invented() {
  const aik = ed25519.generate();
  const account = accountId(hex(randomBytes(16)));
  const device = createDevice({ account, device: deviceId(1) });
  const cert = signDeviceCert(device, aik.public, 20_000);
  return { account, list: signDeviceList(firstDeviceList(cert, 'bob'), aik) };
}

t.test('K2: a second key of the VRF: whoever joins is shown nobody under it', async (t) => {
  await using here = await attacked({ policy: testPolicy, by: ['w1', 'w2'] });
  const { island, alice, history } = here;
  const { log, newest, publish } = history();
  const { account, list } = invented();
  const map = createMap();
  const own = alice.islander.account.account;
  // Everybody else finds who they are where they were: one log, which witnesses sign.
  for (const label of [here.name, here.label, nameLabel('alice'), accountLabel(own)]) {
    const there = newest(label);
    if (!there) throw new Error('somebody is not in the log');
    const { version, at, event } = there;
    const place = prove(log.vrf, label).output.subarray(0, 32);
    map.set(place, mapValue(version, at, eventHash(event)));
  }
  const hidden = [
    { kind: labelKinds.name, label: nameLabel('bob'), state: fromHex(account) },
    { kind: labelKinds.account, label: accountLabel(account), state: list },
  ].map(({ kind, label, state }) => {
    const { output, proof } = prove(strangerKey, label);
    const index = output.subarray(0, 32);
    const at = log.event(index, {
      version: 1,
      commitment: commit({ label, version: 1, opening, state }),
    });
    const event = log.entries[at] ?? new Uint8Array(0);
    map.set(index, mapValue(1, at, eventHash(event)));
    return { kind, index, vrfProof: proof, at, event, state };
  });
  await publish({ mapRoot: map.root, mapCount: map.count });
  const labels = await Promise.all(
    hidden.map(async ({ kind, index, vrfProof, at, event, state }) => {
      const proof = await inclusionProof(at, log.size, log.read);
      const shown = { eventIndex: at, event, proof, opening, state };
      return { kind, vrfProof, mapProof: map.prove(index), shown };
    }),
  );
  island.log.pins.vrf = strangerKey.public;
  island.log.twist = (answer) => ({ ...answer, labels });
  await using carol = await person(island, 'carol');
  await t.rejects(carol.islander.people.find('bob'), { code: 'directory_contradicted' });
  t.equal(await caught(carol.storage), 'vrf_invalid: none');
});
