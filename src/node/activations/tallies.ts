import type { Answers, Request } from '../../activations/requests.ts';
import { momentsTally } from './moments.ts';
import { normsTally } from './norms.ts';
import { rangeTally } from './range.ts';
import { sumTally } from './sums.ts';
import type { Tally } from './tally.ts';
import type { Tools } from './vectors.ts';

/** Creates the tally of a request. */
export function tallyFor(request: Request, tools: Tools): Tally<Answers[Request['what']]> {
  switch (request.what) {
    case 'range':
      return rangeTally(request);
    case 'norms':
      return normsTally(request);
    case 'gram':
    case 'squares':
      return sumTally(request, tools);
    case 'means':
    case 'moments':
      return momentsTally(request, tools);
  }
}

/** Whether a request's vectors may be sampled: windows of a Conv, and all vectors if means are requested. */
export function takesShares(request: Request): boolean {
  if ('sources' in request) return request.sources.some(({ kind }) => kind === 'patches');
  return 'source' in request;
}
