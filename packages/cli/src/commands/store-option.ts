/** The store of files where none is given. */
export const STORE = 'cert-store';
