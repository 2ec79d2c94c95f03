import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readModel } from '../../src/index.node.ts';
import { product, sparseWeight } from '../passes/pack/support.ts';
import { buildModel } from '../support/build.ts';
import { compressEach, fixture, folder, oneLine, shell } from '../support/cli.ts';
import { expectSame } from '../support/oracle.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');
const EXTERNAL = fixture('edge/external-data.onnx');

describe('onnx-compress pack', () => {
  test('reports the size and form of each weight, and what was skipped', () => {
    const cwd = folder();
    shell(`onnx-compress prune --l1 0.6 -q ${MLP} | onnx-compress quantize -q > dense.onnx`, { cwd });
    const { code, stderr } = compress(['pack', 'dense.onnx', '-o', 'packed.onnx'], { cwd });
    expect([code, stderr]).toEqual([
      0,
      `dense.onnx → packed.onnx: 54.2 kB → 31.0 kB, 1.7× smaller
pack: 3 weights stored more compactly: 50.4 kB → 26.8 kB
  weight                shape         sparsity   before    after  now
  fc2.weight_quantized  int8 128×256    60.0 %  32.8 kB  17.3 kB  bitmask
  fc1.weight_quantized  int8 256×64     60.0 %  16.4 kB  8.72 kB  bitmask
  fc3.weight_quantized  int8 10×128     60.0 %  1.28 kB    793 B  bitmask
  left 4 weights of Gemm, Cast, 2.30 kB: it would not become smaller
`,
    ]);
  });

  test('writes the same file in a pipe, as an option and as a verb; --store dense restores the original file', () => {
    const cwd = folder();
    const made = shell(
      `set -e -o pipefail
      onnx-compress prune --l1 0.6 -q ${MLP} | onnx-compress quantize --int8 -q > dense.onnx
      onnx-compress prune --l1 0.6 -q ${MLP} | onnx-compress quantize --int8 --store bitmask -q > one.onnx
      onnx-compress prune --l1 0.6 -q ${MLP} | onnx-compress quantize --int8 -q | onnx-compress pack -q > two.onnx
      onnx-compress prune --l1 0.6 --store bitmask -q ${MLP} | onnx-compress quantize --int8 --store bitmask -q > three.onnx
      onnx-compress pack -q two.onnx | onnx-compress pack --store dense -q > back.onnx
      onnx-compress copy -q two.onnx > copy.onnx`,
      { cwd },
    );
    expect([made.code, made.stderr]).toEqual([0, '']);
    const bytes = (name: string): Buffer => readFileSync(join(cwd, `${name}.onnx`));
    for (const name of ['two', 'three', 'copy']) expect(bytes(name).equals(bytes('one'))).toBe(true);
    expect(bytes('back').equals(bytes('dense'))).toBe(true);
    expect(bytes('one').length).toBeLessThanOrEqual(0.17 * statSync(MLP).size);
  });

  test('reports that the input was packed, and omits the gzip estimate', () => {
    const cwd = folder();
    const first = compress(['prune', '--l1', '0.6', '--store', 'bitmask', MLP, '-o', 'packed.onnx'], { cwd });
    expect(first.stderr).toContain('pack: 3 weights stored more compactly');
    expect(first.stderr).not.toContain('Zeros alone');
    const second = compress(['quantize', 'packed.onnx', '-o', 'int8.onnx'], { cwd });
    expect(oneLine(second.stderr)).toContain('3 packed weights are unpacked; --store bitmask packs them again');
    const folded = compress(['fold', '--dry-run', 'packed.onnx'], { cwd });
    expect(oneLine(folded.stderr)).toContain('3 packed weights are unpacked; onnx-compress pack packs them again');
    const raised = compress(['convert', '--opset', '21', 'packed.onnx', '-o', 'raised.onnx'], { cwd });
    expect(raised.stderr).toContain('3 packed weights are unpacked');
    expect(statSync(join(cwd, 'raised.onnx')).size).toBeGreaterThan(200_000);
  });

  test('does not mention unpacking if nothing is written or weights are packed again', () => {
    const cwd = folder();
    compress(['prune', '--l1', '0.6', '--store', 'bitmask', '-q', MLP, '-o', 'packed.onnx'], { cwd });
    const [refused, again, json, page] = compressEach(
      [
        ['prune', '--l1', '0.6', '--include', 'nowhere', 'packed.onnx', '-o', 'none.onnx'],
        ['quantize', '--store', 'bitmask', 'packed.onnx', '-o', 'small.onnx'],
        ['quantize', '--include', 'nowhere', '--allow-unchanged', '-n', '--json', '-q', 'packed.onnx'],
        ['quantize', 'packed.onnx', '-q', '-o', 'int8.onnx', '--report', 'report.html'],
      ],
      { cwd },
    );
    expect([refused?.code, refused?.stderr]).toEqual([1, expect.stringContaining('prune found nothing to change')]);
    expect(again?.stderr).toContain('pack: 3 weights stored more compactly');
    for (const one of [refused, again]) expect(one?.stderr).not.toContain('came packed');
    const [pass] = JSON.parse(json?.stdout.toString() ?? '').passes;
    expect(pass).toMatchObject({ unpacked: 3, notes: [expect.stringContaining('--store bitmask packs them again')] });
    expect(page?.code).toBe(0);
    expect(readFileSync(join(cwd, 'report.html'), 'utf8')).toContain('3 packed weights are unpacked');
  });

  test('inspect and diff show the unpacked weights, and say that they are packed', () => {
    const cwd = folder();
    compress(['prune', '--l1', '0.6', '-q', MLP, '-o', 'dense.onnx'], { cwd });
    compress(['pack', '-q', 'dense.onnx', '-o', 'packed.onnx'], { cwd });
    const [report, json, graph, found, data, comment] = compressEach(
      [
        ['inspect', 'packed.onnx'],
        ['inspect', '--json', '--graph', 'packed.onnx'],
        ['inspect', '--graph', 'packed.onnx'],
        ['diff', 'dense.onnx', 'packed.onnx'],
        ['diff', '--json', '--exit-code', 'dense.onnx', 'packed.onnx'],
        ['diff', '--markdown', 'packed.onnx', 'dense.onnx'],
      ],
      { cwd },
    ).map((one) => one.stdout.toString());
    expect(report).toContain('packed.onnx: 90.0 kB, 50826 parameters\n');
    expect(report).toContain(
      '  packed     3 weights; shown below as the weights they unpack to, with their bytes in the file\n',
    );
    expect(report).toContain('  fc2.weight  Gemm      float32 128×256  56.5 kB  63.8 %  bitmask\n');
    expect(report).toContain('prune would choose from 50432 weights in 3 tensors\n');
    expect(report).toContain('  quantize and prune write packed weights dense; --store bitmask packs them again\n');
    // The nodes are the nodes of the file.
    const { packed, graphs, parameters, weights } = JSON.parse(json ?? '');
    expect([packed, parameters, weights[0].packed, weights[0].byteLength]).toEqual([3, 50826, 'bitmask', 4096 + 52432]);
    expect(graphs[0].nodes[0]).toMatchObject({ domain: 'compress', opType: 'Unpack' });
    expect(graph).toContain('uint8[2048,1] mask\n');
    expect(found).toBe(`dense.onnx → packed.onnx: 204 kB → 90.0 kB (44.1 %); 5 nodes and 6 weights are the same
model (3 changes)
  fact                      before  after
  opset compress            –       1
  function compress.Unpack  –       there
  packed weights            –       3 bitmask
`);
    expect(JSON.parse(data ?? '')).toMatchObject({ same: false, notes: [], weights: { same: 6, changed: [] } });
    expect(comment).toContain('| packed weights | 3 bitmask | – |\n');
  });

  test('no gain is an error, unless allowed or if --store is given to another verb', () => {
    const cwd = folder();
    const none = compress(['pack', MLP, '-o', 'out.onnx'], { cwd });
    expect([none.code, none.stderr.split('\n')[0]]).toEqual([1, `error: ${MLP}: pack found nothing to change`]);
    expect(none.stderr).toContain('it would not become smaller');
    expect(none.stderr).toContain('Use --allow-unchanged');
    const unpacked = compress(['pack', '--store', 'dense', MLP, '-o', 'out.onnx'], { cwd });
    expect([unpacked.code, unpacked.stderr]).toEqual([1, expect.stringContaining('no weight is packed')]);
    const word = compress(['pack', '--store', 'zip', MLP, '-o', 'out.onnx'], { cwd });
    expect([word.code, word.stderr]).toEqual([2, expect.stringContaining("'zip' is not one of")]);
    expect(readdirSync(cwd)).toEqual([]);
    const allowed = compress(['pack', '--allow-unchanged', '-q', MLP, '-o', 'same.onnx'], { cwd });
    expect(allowed.code).toBe(0);
    expect(readFileSync(join(cwd, 'same.onnx')).equals(readFileSync(MLP))).toBe(true);
    const beside = compress(['quantize', '--store', 'bitmask', MLP, '-o', 'int8.onnx'], { cwd });
    expect([beside.code, beside.stderr]).toEqual([0, expect.stringContaining('pack: no weight changed')]);
  });

  test('--json has the form of each weight', () => {
    const { stdout } = compress(['prune', '--l1', '0.995', '--store', 'auto', '--dry-run', '--json', '-q', MLP]);
    const { passes } = JSON.parse(stdout.toString()) as { passes: { changes: { form?: string; zeros?: number }[] }[] };
    expect(passes[1]?.changes.map((one) => one.form)).toEqual(['sparse', 'sparse', 'sparse']);
  });

  test('keeps masks and values in external data, and restores them', async () => {
    const cwd = folder();
    const steps = shell(
      `set -e
      onnx-compress prune --l1 0.8 -q ${EXTERNAL} -o pruned.onnx
      onnx-compress pack -q --external-data pruned.onnx -o packed.onnx
      onnx-compress pack -q --store dense --external-data packed.onnx -o back.onnx`,
      { cwd },
    );
    expect([steps.code, steps.stderr]).toEqual([0, '']);
    expect(statSync(join(cwd, 'packed.onnx.data')).size).toBeLessThan(statSync(join(cwd, 'pruned.onnx.data')).size);
    const [pruned, back] = [await readModel(join(cwd, 'pruned.onnx')), await readModel(join(cwd, 'back.onnx'))];
    for (const [name, tensor] of pruned.graph.initializers) {
      const found = await back.graph.initializers.get(name)?.load();
      expect(Buffer.compare(found ?? Buffer.of(), await tensor.load())).toBe(0);
    }
    await pruned.close();
    await back.close();
  });

  test('processes a large weight in pieces, from a file and through a pipe', async () => {
    const cwd = folder();
    const dense = buildModel(product(sparseWeight('float32', [1500, 1111], 0.7)));
    const steps = shell(
      `set -e -o pipefail
      onnx-compress copy -q > m.onnx
      onnx-compress prune --l1 0.8 --store bitmask -q m.onnx -o packed.onnx
      cat m.onnx | onnx-compress prune --l1 0.8 -q | onnx-compress pack -q > piped.onnx
      onnx-compress quantize --weights-only --store auto -q packed.onnx -o int8.onnx`,
      { cwd, input: dense },
    );
    expect([steps.code, steps.stderr]).toEqual([0, '']);
    const packed = readFileSync(join(cwd, 'packed.onnx'));
    expect(packed.equals(readFileSync(join(cwd, 'piped.onnx')))).toBe(true);
    expect(packed.length).toBeLessThan(0.25 * dense.length);
    for (const name of ['packed.onnx', 'int8.onnx']) {
      const model = await readModel(join(cwd, name));
      await expectSame(readFileSync(join(cwd, name)), model);
      await model.close();
    }
  });
});
