/** How figures grow with something, for Concord and its peers. */
export interface Plot {
  /** What its file is called, without its ending. */
  readonly name: string;
  readonly title: string;
  /** With their units. */
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly PlotLine[];
}

/** What one server came to. */
export interface PlotLine {
  readonly name: string;
  readonly points: readonly PlotPoint[];
}

/** One size, and a value above 0 of each round. */
export interface PlotPoint {
  readonly x: number;
  readonly values: readonly number[];
}
