import { conforms } from '../../test/conforms.js';
import { naturalObjective, robustObjective } from './objective.js';

conforms(naturalObjective, robustObjective(), robustObjective({ naturalWeight: 0.5 }));
