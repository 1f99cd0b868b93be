/** The files under .github, as far as they can be wrong without anybody running them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const { engines, scripts } = JSON.parse(read('package.json'));

describe.each(['bug', 'idea', 'unsound-bound'])('the form %s', (name) => {
  const form: { name: string; description: string; body: Field[] } = parse(
    read('.github/ISSUE_TEMPLATE', `${name}.yml`),
  );
  interface Field {
    type: string;
    id?: string;
    attributes: { label?: string; value?: string };
    validations?: { required: boolean };
  }
  const fields = form.body.filter(({ type }) => type !== 'markdown');

  it('is one that GitHub takes', () => {
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    for (const { type, id, attributes } of fields) {
      expect(['input', 'textarea', 'dropdown', 'checkboxes']).toContain(type);
      expect(id).toMatch(/^[\w-]+$/);
      expect(attributes.label).toEqual(expect.any(String));
    }
    for (const { attributes } of form.body.filter(({ type }) => type === 'markdown')) {
      expect(attributes.value).toEqual(expect.any(String));
    }
    for (const list of [fields.map(({ id }) => id), fields.map(({ attributes }) => attributes.label)]) {
      expect(new Set(list).size).toBe(list.length);
    }
  });

  it('asks for something', () => {
    expect(fields.some(({ validations }) => validations?.required)).toBe(true);
  });
});

interface Job {
  permissions?: Record<string, string>;
  strategy?: { matrix: { node: string[] } };
  steps: { uses?: string; run?: string; with?: Record<string, unknown>; env?: Record<string, string> }[];
}
const workflows = readdirSync(join(root, '.github/workflows')).map((file) => {
  const { jobs, permissions }: { jobs: Record<string, Job>; permissions?: object } = parse(
    read('.github/workflows', file),
  );
  return { file, jobs, permissions };
});

describe.each(workflows)('the workflow $file', ({ jobs, permissions }) => {
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  it('runs scripts that there are', () => {
    const commands = steps.flatMap((step) => [step.run, step.with?.version, step.with?.publish]).map(String);
    const named = commands.flatMap((command) =>
      [...command.matchAll(/npm (?:run )?([\w:]+)/g)].map(([, name]) => name!),
    );
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(['ci', ...Object.keys(scripts)]).toContain(name);
  });

  it('names the major version of what it uses', () => {
    for (const { uses } of steps) expect(uses ?? 'a/command@v1').toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
  });

  it('may do nothing but read, unless a job says so', () => {
    expect([{}, { contents: 'read' }]).toContainEqual(permissions);
  });
});

const jobsOf = (name: string) => workflows.find(({ file }) => file === name)!.jobs;

it('the least version of Node.js that engines takes is tested', () => {
  const { matrix } = jobsOf('ci.yml').test!.strategy!;
  expect(matrix.node.map((version) => `>=${version}`)).toContain(engines.node);
});

it('only the job that publishes has an identity, and it tests before', () => {
  const jobs = Object.entries(jobsOf('release.yml'));
  expect(jobs.filter(([, { permissions }]) => permissions?.['id-token']).map(([name]) => name)).toEqual(['publish']);
  const { steps } = jobsOf('release.yml').publish!;
  const tested = steps.findIndex(({ run }) => run === 'npm test');
  const published = steps.findIndex((step) => step.with?.publish === 'npm run release:publish');
  expect(tested).toBeGreaterThan(0);
  expect(published).toBeGreaterThan(tested);
  expect(steps[published]?.env).toMatchObject({ NPM_CONFIG_PROVENANCE: 'true' });
});
