import { CompressError } from '../errors.ts';
import { type Model, NO_OPSET } from '../ir/model.ts';
import { checkShape } from '../options/check.ts';
import { HIGHEST_OPSET, LOWEST_OPSET } from '../options/convert.ts';
import { raiseOpset } from './opset/index.ts';
import { unpackFirst } from './pack/unpack.ts';
import type { Pass, PassReport } from './pass.ts';

/** What {@link convert} changes. */
export interface ConvertOptions {
  /** Version of the standard operators to write; at least the model's own, which is the default. */
  readonly opset?: number | undefined;
  /** Raise it even if ONNX Runtime has no kernel for an operator of the model at that opset. */
  readonly force?: boolean | undefined;
  /** Convert everything that is float16 or bfloat16 to float32: weights, computation, inputs and outputs. */
  readonly float32?: boolean | undefined;
}

/**
 * Rewrites a model for a higher version of the standard operators (`opset`), with the matching IR version. What it
 * computes does not change.
 * @throws CompressError `options` for an unknown version; `unsupported` if the model's opset is higher already, an
 *   operator has no adapter, or ONNX Runtime could no longer run the model
 * @example
 * await transform(model, convert({ opset: 21 }));
 */
export function convert(options: ConvertOptions): Pass {
  checkShape('convert', options, { opset: 'number', force: 'flag', float32: 'flag' });
  const { opset, force = false, float32 = false } = options;
  if (opset === undefined && !float32) {
    throw new CompressError('options', 'opset', 'is required', { hint: 'Give one: `opset: 21`.' });
  }
  if (opset !== undefined && !isKnown(opset)) {
    throw new CompressError('options', 'opset', `${opset} is not an opset from ${LOWEST_OPSET} to ${HIGHEST_OPSET}`);
  }
  return {
    name: 'convert',
    async run(model) {
      const { notes: broken, ...unpacked } = float32 ? await unpackFirst(model) : { notes: [] };
      const wide = float32 ? (await import('./float16/float32.ts')).widenAll(model) : undefined;
      const raised = opset === undefined ? { notes: [] } : await raise(model, opset, force);
      const { changes = [], casts = 0 } = wide ?? {};
      const notes = casts > 0 ? [`${casts} ${casts === 1 ? 'Cast' : 'Casts'} between float types removed`] : [];
      return {
        pass: 'convert',
        skips: [],
        ...unpacked,
        ...raised,
        changes,
        notes: [...broken, ...notes, ...raised.notes],
      };
    },
  };
}

function isKnown(opset: number): boolean {
  return Number.isInteger(opset) && opset >= LOWEST_OPSET && opset <= HIGHEST_OPSET;
}

/** Raises the opset of a model; the rest of the report. */
async function raise(model: Model, opset: number, force: boolean): Promise<Pick<PassReport, 'notes' | 'unpacked'>> {
  const { irVersion, opset: before } = model;
  if (before > opset) {
    throw new CompressError('unsupported', '', `the model has opset ${before}, which can be raised but not lowered`, {
      hint: `Export it again for opset ${opset}.`,
    });
  }
  if (!model.hasOpset && !model.usesStandard)
    return { notes: [`there is no opset to raise: ${NO_OPSET}, and has none`] };
  const { notes, ...unpacked } = before < opset ? await unpackFirst(model) : { notes: [] };
  const result = await raiseOpset(model, opset, { force });
  if (!result.raised) {
    const fact = `${model.hasOpset ? `opset ${before}` : 'it'} cannot be raised to ${opset}: ${result.reason}`;
    throw new CompressError('unsupported', '', fact, hintOf(result.runsUpTo, before, opset));
  }
  notes.push(...result.notes);
  if (before === opset) notes.push(`the model already has opset ${opset}`);
  else {
    const list = result.adapted.map(({ opType, count }) => `${count} ${opType}`).join(', ');
    notes.push(`opset raised from ${before} to ${opset}${list === '' ? '' : `; rewritten: ${list}`}`);
  }
  if (model.irVersion !== irVersion) notes.push(`IR version raised from ${irVersion} to ${model.irVersion}`);
  return { ...unpacked, notes };
}

/** What to do where ONNX Runtime has no kernel. */
function hintOf(runsUpTo: number | undefined, before: number, opset: number): { readonly hint?: string } {
  if (runsUpTo === undefined) return {};
  const all = `\`force\` writes opset ${opset} anyway.`;
  return { hint: runsUpTo > before ? `\`opset: ${runsUpTo}\` is the highest it can run. ${all}` : all };
}
