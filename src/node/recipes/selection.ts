import type { SelectionValues } from '../../options/common.ts';

/** The selection as the passes take it; what was not given is not there. */
export function readSelection(values: SelectionValues): {
  opTypes?: readonly string[];
  include: RegExp[];
  exclude: RegExp[];
} {
  const { opTypes, include = [], exclude = [] } = values;
  const patterns = {
    include: include.map((text) => new RegExp(text, 'u')),
    exclude: exclude.map((text) => new RegExp(text, 'u')),
  };
  return opTypes === undefined ? patterns : { ...patterns, opTypes };
}
