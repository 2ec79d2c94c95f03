import type { StoreValues } from '../../options/common.ts';
import type { ConvertValues } from '../../options/convert.ts';
import type { CopyValues } from '../../options/copy.ts';
import { halfOf } from '../../options/float16.ts';
import type { PackValues } from '../../options/pack.ts';
import { givesFewBits, type QuantizeValues } from '../../options/quantize.ts';
import { type StepVerb, SUMMARIES } from '../../options/verbs.ts';
import type { Pass } from '../../passes/pass.ts';
import type { StepRun } from './stepRun.ts';

/**
 * The passes of a verb, from the values of its options; the verb's own pass is first. Only this verb is loaded.
 * @param values - from `valuesOf` of the verb's table
 * @throws CompressError `options` for invalid combinations; `data` and `io` if a file they name is broken
 */
export async function passesOf(verb: StepVerb, values: object, run: StepRun): Promise<Pass[]> {
  switch (verb) {
    case 'prune':
      return [await (await import('./prune.ts')).pruningPass(values, run), ...(await storing(values))];
    case 'quantize':
      return [
        await (await import('./quantize.ts')).quantizingPass(values, run),
        ...(await halving(values, run)),
        ...(await storing(values)),
      ];
    case 'dequantize':
      return [(await import('../../passes/dequantize/index.ts')).dequantize()];
    case 'pack': {
      const { store }: PackValues = values;
      return [(await import('../../passes/pack/index.ts')).pack(store === undefined ? {} : { store })];
    }
    case 'fold':
      return [(await import('../../passes/fold/index.ts')).fold()];
    case 'convert':
      return [await converting(values)];
    case 'copy':
      return copying(values);
  }
}

/** Whether a verb may succeed without changes: because of the verb, or because the user allows it. */
export function mayChangeNothing(verb: StepVerb, values: { allowUnchanged?: boolean | undefined }): boolean {
  return SUMMARIES[verb].mayChangeNothing === true || values.allowUnchanged === true;
}

/** The following pass for `store`: none for dense. */
async function storing({ store = 'dense' }: StoreValues): Promise<Pass[]> {
  if (store === 'dense') return [];
  return [(await import('../../passes/pack/index.ts')).pack({ store, optional: true })];
}

/** The following pass for `float16` with low-bit products: for all other weights, and what they compute with. */
async function halving(values: QuantizeValues, run: StepRun): Promise<Pass[]> {
  if (halfOf(values) === undefined || !givesFewBits(values)) return [];
  return [(await import('./float16.ts')).halvingRest(values, run)];
}

/** No pass if the model is only written again. */
async function copying({ set = [], dedupe }: CopyValues): Promise<Pass[]> {
  const passes: Pass[] = [];
  if (set.length > 0) {
    const { readInputValues, setInputs } = await import('../../passes/copy/set.ts');
    passes.push(setInputs(readInputValues(set)));
  }
  if (dedupe) passes.push((await import('../../passes/copy/dedupe.ts')).dedupe());
  return passes;
}

async function converting({ opset, forceOpset, float32 }: ConvertValues): Promise<Pass> {
  return (await import('../../passes/convert.ts')).convert({ opset, force: forceOpset, float32 });
}
