// What is left of trained models after pruning: magnitude, Wanda and SparseGPT, and what each costs.
//   npm run build && node benchmarks/pruning.js [--gpt DIR] [--only MODEL] [--costs] [--json FILE]
// DIR holds gpt.onnx, gpt-calib.npz and gpt-test.npz, which benchmarks/peer/train_gpt.py writes. --costs measures
// layers of 1024×1024 to 4096×4096 instead. Without --json the results go to benchmarks/results/pruning.json
// (pruning-costs.json).
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { costs } from './pruning/costs.js';
import { judge } from './pruning/judge.js';
import { METHODS, prunedBy } from './pruning/methods.js';

const root = new URL('..', import.meta.url).pathname;
const fixtures = join(root, 'fixtures');
const RECIPES = [
  ...[0.4, 0.5, 0.6, 0.7, 0.8].map((amount) => ({ amount })),
  { amount: 0.5, pattern: { keep: 2, of: 4 } },
];

const { values } = parseArgs({
  options: {
    gpt: { type: 'string' },
    only: { type: 'string' },
    costs: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const file = values.json ?? join(root, 'benchmarks/results', values.costs ? 'pruning-costs.json' : 'pruning.json');
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Models with the rows that calibrate and those that judge. */
function models() {
  const digits = (name, rest = {}) => ({
    name,
    path: join(fixtures, `${name}.onnx`),
    calibration: join(fixtures, `${name}-calib.npz`),
    test: join(fixtures, `${name}-test.npz`),
    kind: 'accuracy',
    ...rest,
  });
  const all = [
    digits('digits-mlp'),
    digits('digits-cnn'),
    digits('digits-vit'),
    // As the papers prune a transformer: its blocks, not what comes before and after them.
    digits('digits-vit', { name: 'digits-vit, blocks', exclude: [/^val_13$/, /^head/] }),
  ];
  if (values.gpt !== undefined) {
    const [path, calibration, test] = ['gpt.onnx', 'gpt-calib.npz', 'gpt-test.npz'].map((one) => join(values.gpt, one));
    all.push({ name: 'gpt, blocks', path, calibration, test, kind: 'perplexity', exclude: [/^head/] });
  }
  return all.filter(({ name }) => values.only === undefined || name === values.only);
}

function cell(kind, score) {
  return kind === 'accuracy' ? `${(score * 100).toFixed(1)} %` : score.toFixed(2);
}

async function quality() {
  const results = [];
  const lines = [
    `| model (as it was) | pruned | ${METHODS.join(' | ')} |`,
    `| --- | --- |${' --: |'.repeat(METHODS.length)}`,
  ];
  for (const model of models()) {
    const before = await judge(model, model.path);
    let title = `${model.name}, ${model.kind} (${cell(model.kind, before)})`;
    for (const recipe of RECIPES) {
      const cells = [];
      for (const method of METHODS) {
        const path = join(folder, 'pruned.onnx');
        const sparsity = await prunedBy(method, model, recipe, path);
        const score = await judge(model, path);
        const pruned = recipe.pattern === undefined ? `${recipe.amount * 100} %` : '2:4';
        results.push({ model: model.name, kind: model.kind, before, pruned, method, sparsity, score });
        cells.push(cell(model.kind, score));
      }
      lines.push(`| ${title} | ${results.at(-1).pruned} | ${cells.join(' | ')} |`);
      console.error(lines.at(-1));
      title = '';
    }
  }
  console.log(lines.join('\n'));
  return results;
}

// Results of models that are left out this time stay.
const results = values.costs ? await costs(folder) : await quality();
const kept = existsSync(file) && !values.costs ? JSON.parse(readFileSync(file, 'utf8')) : [];
const fresh = new Set(results.map((one) => one.model));
writeFileSync(file, `${JSON.stringify([...kept.filter((one) => !fresh.has(one.model)), ...results], undefined, 2)}\n`);
