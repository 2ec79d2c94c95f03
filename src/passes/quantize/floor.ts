import type { ProductSignal, ProductSignals } from '../../activations/ranges.ts';
import type { Places } from '../../ir/places.ts';
import type { WeightUse } from '../../layers/select.ts';

/** The measured SQNR of a model's products, and the least that each must reach. */
export interface Floor {
  /** In dB. */
  readonly least: number;
  /** By the name of a product's output in the whole model. */
  readonly signals: ProductSignals;
  readonly places: Places;
}

/** How a product may be computed with a weight of 8 bits or fewer. */
export type ProductForm = keyof ProductSignal;

/**
 * Why a product falls below the floor in a form, for reports.
 * @returns undefined if it does not, or was not measured
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

/** Whether a product was measured to reach the floor in a form. */
export function holdsFloor(use: WeightUse, form: ProductForm, floor: Floor | undefined): boolean {
  return signalOf(use, floor)?.[form] !== undefined && belowFloor(use, form, floor) === undefined;
}

function signalOf({ graph, node }: WeightUse, floor: Floor | undefined): ProductSignal | undefined {
  return floor?.signals.get(productKey(floor.places, graph, node));
}

/** The name of a product in the whole model. */
export function productKey(
  places: Places,
  graph: WeightUse['graph'],
  { outputs: [y = ''] }: WeightUse['node'],
): string {
  return places.keyOf(graph, y) ?? y;
}
