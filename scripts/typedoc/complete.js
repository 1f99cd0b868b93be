/**
 * A plug-in of TypeDoc: the check that the reference is complete. Each export of each package and each member of an exported
 * interface, class or object type has documentation, and each type of the packages that a signature names is exported. TypeDoc's own
 * checks of these give no line, and see one package alone.
 */
import { Application, makeRecursiveVisitor, ReflectionKind } from 'typedoc';

const EXPORT =
  ReflectionKind.Function |
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Variable |
  ReflectionKind.Enum;
const MEMBER = ReflectionKind.Property | ReflectionKind.Method | ReflectionKind.Accessor | ReflectionKind.EnumMember;

const isExport = (reflection) => reflection.kindOf(EXPORT) && reflection.parent.kindOf(ReflectionKind.Module);

/** The export that a member belongs to; none for members of a type that is written inside another, which that one's text describes. */
function ownerOf({ parent }) {
  const owner = parent.kindOf(ReflectionKind.TypeLiteral) ? parent.parent : parent;
  return isExport(owner) ? owner : undefined;
}

/** `type: 'epoch'`: what tells the members of a union apart says all by itself. */
const isTag = ({ type }) => type?.type === 'literal';

const mustBeDocumented = (reflection) =>
  isExport(reflection) || (reflection.kindOf(MEMBER) && !isTag(reflection) && ownerOf(reflection) !== undefined);

function isDocumented(reflection) {
  const { signatures = [], getSignature, setSignature, type } = reflection;
  const inline = type?.type === 'reflection' ? [type.declaration, ...(type.declaration.signatures ?? [])] : [];
  return [reflection, ...signatures, getSignature, setSignature, ...inline].some((part) => part?.hasComment());
}

/** `packages/core/src/interval.ts:12 IntervalTensor.lower`. */
function where(reflection) {
  let named = reflection;
  while (!named.sources?.length) named = named.parent;
  const [{ fileName, line }] = named.sources;
  return `${fileName}:${line} ${reflection.getFullName().replaceAll('.__type', '')}`;
}

/** The types that the reflection itself names, not those that its children name. */
function typesOf({ type, default: fallback, implementedTypes = [] }) {
  const found = [];
  const visitor = makeRecursiveVisitor({ reference: (reference) => found.push(reference) });
  for (const each of [type, fallback, ...implementedTypes]) each?.visit(visitor);
  return found;
}

const isMissing = (type) => !type.reflection && !type.externalUrl && !type.isIntentionallyBroken();

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    const packages = new Set(project.getReflectionsByKind(ReflectionKind.Module).map(({ name }) => name));
    const problems = new Set();
    for (const reflection of Object.values(project.reflections)) {
      if (mustBeDocumented(reflection) && !isDocumented(reflection)) {
        problems.add(`${where(reflection)} has no documentation`);
      }
      for (const type of typesOf(reflection)) {
        if (packages.has(type.package) && isMissing(type)) {
          problems.add(`${where(reflection)} names ${type.qualifiedName}, which is not exported`);
        }
      }
    }
    for (const problem of [...problems].sort()) app.logger.validationWarning(problem);
  });
}
