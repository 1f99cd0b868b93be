/** Elements of a value above which a network is refused. */
export const MOST_ELEMENTS = 2 ** 24;

/** Elements of all values above which a network is refused: small files can describe days of work. */
export const MOST_IN_ALL = 2 ** 28;
