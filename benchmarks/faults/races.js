// Two runs at once to the same output. Without --force one wins and the other is refused; with it both end well. In
// either case the output is that of one of them, whole: a model with its own data.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { listing, ROOT, same, start, workplace } from './support.js';

/** Commands whose outputs have the same names and other bytes. */
const digits = join(ROOT, 'fixtures/digits-mlp.onnx');
const PAIR = [
  ['prune', '--l1', '0.4', digits],
  ['quantize', '--int8', digits],
];
const MODES = { '-o': [], '--external-data': ['--external-data'] };

export async function races(parent, { rounds }, report) {
  for (const [mode, flags] of Object.entries(MODES)) {
    const references = [];
    for (const words of PAIR) {
      const place = workplace(parent);
      await start([...words, ...flags, '-q', '-o', 'm.onnx'], { cwd: place.out, tmp: place.tmp }).ended;
      references.push(place);
    }
    for (const force of [[], ['--force']]) {
      const counts = { first: 0, second: 0, refused: 0 };
      const faults = [];
      for (let round = 0; round < rounds; round++) {
        const place = workplace(parent);
        const runs = PAIR.map(
          (words) =>
            start([...words, ...flags, ...force, '-q', '-o', 'm.onnx'], { cwd: place.out, tmp: place.tmp }).ended,
        );
        const ends = await Promise.all(runs);
        const refused = ends.filter(({ ended, said }) => ended === 1 && said.includes('already exists'));
        counts.refused += refused.length;
        if (ends.some(({ ended }) => ended !== 0 && ended !== 1))
          faults.push(`ended with ${ends.map(({ ended }) => ended)}`);
        if (refused.length !== (force.length === 0 ? 1 : 0))
          faults.push(`${refused.length} refused: ${ends.map(({ said }) => said)}`);
        const winner = references.findIndex(
          ({ out }) =>
            listing(place.out).length === listing(out).length &&
            listing(out).every((name) => same(join(out, name), join(place.out, name))),
        );
        if (winner < 0) faults.push(`a mix: ${listing(place.out)}`);
        else counts[winner === 0 ? 'first' : 'second']++;
        rmSync(place.folder, { recursive: true });
      }
      report({ fault: 'two runs at once', command: [mode, ...force].join(' '), tries: rounds, ...counts, faults });
    }
    for (const { folder } of references) rmSync(folder, { recursive: true });
  }
}
