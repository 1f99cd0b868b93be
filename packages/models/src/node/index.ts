export { loadCheckpoint, saveCheckpoint } from './checkpoint-file.js';
export { isAlive, type LockOwner, lockFile, lockOwner } from './lock-file.js';
export { makeFolder } from './make-folder.js';
export { appendText, writeFileAtomic } from './write-file.js';
