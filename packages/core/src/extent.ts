/** Rows and columns, in this order; one number sets both. */
export type Extent = number | readonly [height: number, width: number];

/** Padding at the top, bottom, left and right; one number sets all four. */
export type Padding = number | readonly [top: number, bottom: number, left: number, right: number];
