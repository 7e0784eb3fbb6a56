import type { Driver } from './load/load.ts';
import type { LoadTools } from './load/load-tools.ts';
import type { Peers } from './peers/start-peers.ts';

/** One line of the table, measured at once with others or alone. A module of rows/ exports one, and rows.ts lists it. */
export interface Row {
  /** What it is called on the command line. */
  readonly name: string;
  /** What it does, for `--help`. */
  readonly describes: string;
  /** Whether it is one of those that have to reach something, as "How fast it is to be" in docs/performance.md has them. */
  readonly isBar?: boolean;
  measure(bench: Bench): Promise<readonly Finding[]>;
}

/** What a row works with. */
export interface Bench {
  readonly peers: Peers;
  /** What makes load, where a tool can. */
  readonly tools: LoadTools;
  /** Rounds that count; one more goes before them. */
  readonly rounds: number;
  /** How long each server is loaded in each round. */
  readonly seconds: number;
  /** How many leases are renewed where many are. */
  readonly leases: number;
  readonly signal: AbortSignal;
  /** Tells a person how far it is. */
  progress(text: string): void;
}

/** One comparison, or one measure of Concord alone; each series has one value a round, in the same order. */
export interface Finding {
  readonly measure: string;
  readonly unit: Unit;
  readonly concord: readonly number[];
  /** Absent where Concord is held to a number of its own. */
  readonly peer?: { readonly name: string; readonly values: readonly number[] };
  /** What is held to the target: Concord over the peer, Concord less the peer, or Concord itself. */
  readonly compares: 'ratio' | 'difference' | 'itself';
  /** Who made the load; absent where it is not one of calls. */
  readonly driver?: Driver;
  /** Absent where no bar is set. */
  readonly target?: Target;
}

/** What a finding is counted in; a KB has 1,000 bytes, a MB 1,000 KB. */
export type Unit = 'per second' | 'ms' | 'KB' | 'MB' | '%' | 'watches' | 'streams' | 'leases';

/** The bar, and the one after it. */
export interface Target {
  readonly kind: 'at-least' | 'at-most';
  readonly bar: number;
  readonly nextBar?: number;
}
