/** Vectors of evidence: what convicts whom, and what nobody. docs/protocol/transparency.md §9.1 */
import { verifyEvidence } from '../transparency/conviction.ts';
import { type Evidence, evidenceKinds, formatEvidence } from '../transparency/evidence.ts';
import { directoryLog, testPolicy, testVkey } from './directory-log.ts';
import { began, forgedList, guilty, leavesOf, listsOf } from './guilty-logs.ts';
import { refused, type VectorFile } from './vector-file.ts';

const trust = { vkey: testVkey, policy: testPolicy };

const acquitted = (why: string, evidence: Evidence) => {
  const text = formatEvidence(evidence);
  return {
    why,
    text,
    fault: refused(why, new Uint8Array(0), () => verifyEvidence(text, trust)).fault,
  };
};

export const vectors: VectorFile = {
  name: 'evidence',
  document: 'docs/protocol/transparency.md §9.1',
  async make() {
    const all = await guilty();
    const honest = began();
    const early = await honest.checkpoint({ size: 3 });
    const late = await honest.checkpoint();
    const { fork, rewrite, hidden } = all;
    const bare = directoryLog();
    const { account } = forgedList();
    const [first, device] = [account.list, account.device(2)];
    return {
      ...trust,
      convicting: evidenceKinds.map((kind) => {
        const text = formatEvidence(all[kind]);
        const { convicts, who } = verifyEvidence(text, trust);
        return { kind, convicts, who, text };
      }),
      acquitted: [
        acquitted('two sizes of one log', { kind: 'fork', notes: [early, late], leaves: [] }),
        acquitted('an older checkpoint alone', {
          kind: 'rollback',
          notes: [late, early],
          leaves: [],
        }),
        acquitted('a proof less', {
          ...rewrite,
          prefix: { root: rewrite.prefix?.root ?? bare.map.root, proof: [] },
        }),
        acquitted('two labels', await leavesOf(honest, 'version', 3, 4)),
        acquitted('an epoch in its place', await leavesOf(honest, 'span', 2, 5)),
        acquitted(
          'a device list that follows',
          await listsOf(account.account, [
            first.bytes,
            account.change({}, 'reset', [device]).bytes,
          ]),
        ),
        acquitted('a leaf that nothing needs', { ...fork, leaves: hidden.leaves.slice(0, 1) }),
      ],
    };
  },
};
