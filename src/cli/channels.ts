import type { ValueInfo } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import type { ActivationSource } from '../passes/channels/index.ts';
import { channelGrams } from '../runtime/channelGram.ts';
import { channelNorms } from '../runtime/channelNorms.ts';
import { openData } from '../runtime/data/open.ts';
import type { DataSet } from '../runtime/data/types.ts';

export async function sourceOf(model: Model, path: string): Promise<ActivationSource> {
  const inputs: ValueInfo[] = model.graph.inputs.filter((one) => !model.graph.initializers.has(one.name));
  const data: DataSet = await openData(path, inputs, {});
  return {
    norms: (one, requests) => channelNorms(one, requests, data),
    moments: (one, requests, what) => channelGrams(one, requests, data, what),
  };
}
