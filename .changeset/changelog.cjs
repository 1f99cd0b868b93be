/**
 * How a changeset becomes an entry of CHANGELOG.md: its text as it stands. Commits are not named, and neither are the other packages, as
 * all are released together.
 */
const getReleaseLine = async ({ summary }) => `- ${summary.trim().replaceAll('\n', '\n  ').replaceAll(/^ +$/gm, '')}`;

const getDependencyReleaseLine = async () => '';

module.exports = { getReleaseLine, getDependencyReleaseLine };
