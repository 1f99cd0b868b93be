/** Rows and columns, in this order: one number stands for both. */
export type Extent = number | readonly [height: number, width: number];

/** Places that are added at each side: one number stands for all four. */
export type Padding = number | readonly [top: number, bottom: number, left: number, right: number];
