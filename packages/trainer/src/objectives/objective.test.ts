import { conforms } from '../../test/conforms.js';
import { naturalObjective } from './natural.js';
import { robustObjective } from './robust.js';

conforms(naturalObjective, robustObjective(), robustObjective({ naturalWeight: 0.5 }));
