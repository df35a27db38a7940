/** What other tools call our keys; recognised in messages, never accepted. */
const synonyms: Record<string, string> = {
  deps: `Taskfile's "deps" is "needs" here`,
  depends: `Argo's "depends" is "needs" here`,
  depends_on: `"depends_on" is "needs" here`,
  dependsOn: `"dependsOn" is "needs" here`,
  dependencies: `"dependencies" is "needs" here`,
  requires: `"requires" is "needs" here`,
  after: `"after" is "needs" here`,
  when: `Ansible's "when" is "if" here`,
  only: `"only" is "if" here`,
  cmd: `Taskfile's "cmd" is "run" here`,
  cmds: `Taskfile's "cmds" is "run" here`,
  command: `"command" is "run" here`,
  commands: `"commands" is "run" here`,
  script: `"script" is "run" here`,
  exec: `"exec" is "run" here`,
  args: `"args" is "with" here`,
  params: `"params" is "with" here`,
  arguments: `Argo's "arguments" is "with" here`,
  register: `Ansible's "register" is "outputs" here`,
  defer: `Taskfile's "defer" is "undo" here`,
  rollback: `"rollback" is "undo" here`,
  cleanup: `"cleanup" is "undo" here`,
  post: `"post" is "undo" here`,
  cwd: `"cwd" is "dir" here`,
  workdir: `"workdir" is "dir" here`,
  'working-directory': `GitHub Actions' "working-directory" is "dir" here`,
  chdir: `Ansible's "chdir" is "dir" here`,
  retry: `"retry" is "retries" here`,
  retryCount: `"retryCount" is "retries" here`,
  'timeout-minutes': `GitHub Actions' "timeout-minutes" is "timeout: 5m" here`,
  timeout_minutes: `"timeout_minutes" is "timeout: 5m" here`,
  'continue-on-error': `GitHub Actions' "continue-on-error" is "continue_on_error" here`,
  ignore_error: `Taskfile's "ignore_error" is "continue_on_error" here`,
  ignore_errors: `Ansible's "ignore_errors" is "continue_on_error" here`,
  import: `"import" is "includes" here`,
  imports: `"imports" is "includes" here`,
  include: `"include" is "includes" here`,
  extends: `"extends" is "includes" here`,
  desc: `Taskfile's "desc" is "description" here`,
  summary: `"summary" is "description" here`,
  jobs: `GitHub Actions' "jobs" is "tasks" here`,
  steps: `GitHub Actions' "steps" is "tasks" here`,
  environment: `"environment" is "env" here`,
  variables: `Packer's "variables" is "inputs" here`,
  chroot: `a task names its chroot with "in" here`,
  builders: `Packer's "builders" are tasks with "uses" here`,
  provisioners: `Packer's "provisioners" are tasks with "run" here`,
};

/** A hint for an unknown word among those known: another tool's name for one of them, a near miss, or the list. */
export function hintFor(word: string, known: readonly string[]): string | undefined {
  const synonym = Object.hasOwn(synonyms, word) ? synonyms[word] : undefined;
  if (synonym !== undefined && known.some((k) => synonym.includes(`"${k}"`) || synonym.includes(`"${k}:`))) return synonym;
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (known.length === 0) return undefined;
  const sorted = [...known].sort((a, b) => distance(word, a) - distance(word, b));
  return `known here: ${sorted.slice(0, 8).join(', ')}${sorted.length > 8 ? ', …' : ''}`;
}

/** The known word a typo was probably meant to be. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < least && d < word.length) [best, least] = [candidate, d];
  }
  return best;
}

/** Edits between two words, a swap of neighbours counting as one (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, (before[j - 2] ?? 0) + 1);
      row.push(d);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
