import t from 'tap';
import { type FileResult, formatCounts, openTapReader, parseSummary } from './tap-report.ts';

const run = `TAP version 14
1..3
# Subtest: a/good.test.ts
    ok 1 - should be equal
    1..1
ok 1 - a/good.test.ts # time=1200.5ms

# Subtest: a/bad.test.ts
    # Subtest: a group
        not ok 1 - one is two
          ---
          diff: |
            -2
            +1
          ...
        
        1..1
    not ok 1 - a group # time=3ms
      ---
      at:
        fileName: a/bad.test.ts
      ...
    
    1..1
not ok 2 - a/bad.test.ts # time=71ms
  ---
  exitCode: 1
  ...

# Subtest: a/gone.test.ts
    1..0 # no tests found
not ok 3 - a/gone.test.ts # time=400ms
  ---
  exitCode: 3
  ...

# { total: 3, pass: 1, fail: 2, skip: 1 }
# time=566.498ms`;

t.test('each file is told with what failed in it, groups only once', async (t) => {
  const results: FileResult[] = [];
  const reader = openTapReader((result) => results.push(result));
  for (const line of run.split('\n')) reader.line(line);
  t.same(reader.end(), { passed: 1, failed: 2, skipped: 1 });
  t.same(
    results.map(({ file, ok, seconds }) => [file, ok, seconds]),
    [
      ['a/good.test.ts', true, 1.2005],
      ['a/bad.test.ts', false, 0.071],
      ['a/gone.test.ts', false, 0.4],
    ],
  );
  t.same(results[0]?.failures, []);
  t.match(results[1]?.failures[0], /✗ a group › one is two/);
  t.equal(results[1]?.failures.filter((line) => line.includes('✗')).length, 1);
  t.match(results[2]?.failures.join('\n'), /exitCode: 3/, 'a file that ended by itself says how');
});

t.test('the last line, and a run that broke off', async (t) => {
  t.equal(formatCounts({ passed: 12, failed: 0, skipped: 0 }), '12 passed, 0 failed');
  t.equal(formatCounts({ passed: 12, failed: 1, skipped: 2 }), '12 passed, 1 failed, 2 skipped');
  t.same(parseSummary('# { total: 5, pass: 5 }'), { passed: 5, failed: 0, skipped: 0 });
  t.equal(openTapReader(() => undefined).end(), undefined);
});
