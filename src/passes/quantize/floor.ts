import type { ProductSignal, ProductSignals } from '../../activations/ranges.ts';
import type { Places } from '../../ir/places.ts';
import type { WeightUse } from '../../layers/select.ts';

/** What data shows of the products of a model, and how much of its signal each has to keep. */
export interface Floor {
  /** In dB. */
  readonly least: number;
  /** By what the whole model calls the output of a product. */
  readonly signals: ProductSignals;
  readonly places: Places;
}

/** How a product may be computed with a weight of 8 bits or fewer. */
export type ProductForm = keyof ProductSignal;

/**
 * Why a product does not hold the floor in a form, for reports.
 * @returns undefined where it does, or nothing is known of it
 */
export function belowFloor(use: WeightUse, form: ProductForm, floor: Floor | undefined): string | undefined {
  const kept = signalOf(use, floor)?.[form];
  if (floor === undefined || kept === undefined || kept >= floor.least) return undefined;
  return `it would keep ${kept.toFixed(1)} dB ${HOW[form]}; ${floor.least} are asked for`;
}

const HOW: { readonly [form in ProductForm]: string } = {
  integers: 'on integers',
  stored: 'with a weight in 8 bits',
  low: 'with a weight in fewer bits',
};

/** Whether data shows that a product holds the floor in a form. */
export function holdsFloor(use: WeightUse, form: ProductForm, floor: Floor | undefined): boolean {
  return signalOf(use, floor)?.[form] !== undefined && belowFloor(use, form, floor) === undefined;
}

function signalOf({ graph, node }: WeightUse, floor: Floor | undefined): ProductSignal | undefined {
  return floor?.signals.get(productKey(floor.places, graph, node));
}

/** What the whole model calls a product. */
export function productKey(
  places: Places,
  graph: WeightUse['graph'],
  { outputs: [y = ''] }: WeightUse['node'],
): string {
  return places.keyOf(graph, y) ?? y;
}
