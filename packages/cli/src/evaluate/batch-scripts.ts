/** Scripts that evaluate one shard in each task of a batch system. What a user must fill in has a comment. */

/** What a script evaluates. */
export interface ShardScript {
  /** What follows `cert eval`, without the shard. */
  readonly words: readonly string[];
  /** Number of shards. */
  readonly shards: number;
}

/** A word as a shell reads it back. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

// npx would end at the signal of a time limit before the line that is being written is whole.
const commandOf = ({ words, shards }: ShardScript, index: string) =>
  `exec node_modules/.bin/cert eval ${words.map(quoted).join(' ')} --shard "${index}/${shards}"`;

/** A script for `sbatch`: an array with a task for each shard. */
export const slurmScript = (script: ShardScript): string => `#!/bin/bash
# Evaluates ${script.shards} shards. Submit it in the folder of the project, on a disk that all nodes share: sbatch FILE
# To continue shards that were cut off, submit it again. When all are done: npx cert merge FILES
#
#SBATCH --job-name=cert-eval
#SBATCH --array=1-${script.shards}
#SBATCH --output=cert-eval-%A-%a.log
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
# Fill in: the time that one shard may take.
#SBATCH --time=04:00:00
# Fill in: the partition of your cluster, and remove one of the two #.
##SBATCH --partition=NAME
# The shard stops a minute before the end of its time; its results are kept.
#SBATCH --signal=B:TERM@60
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
# Fill in what makes Node.js available, for example: module load nodejs
${commandOf(script, '$SLURM_ARRAY_TASK_ID')}
`;

/** A manifest for `kubectl apply`: an indexed job with a pod for each shard. */
export const kubernetesManifest = (
  script: ShardScript,
): string => `# Evaluates ${script.shards} shards. Start it with: kubectl apply -f FILE
# When all are done, in the folder of the project: npx cert merge FILES
apiVersion: batch/v1
kind: Job
metadata:
  name: cert-eval
spec:
  completionMode: Indexed
  completions: ${script.shards}
  # Fill in: pods at the same time.
  parallelism: ${script.shards}
  # A pod that is lost is started again, and its shard continues.
  backoffLimit: ${3 * script.shards}
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: cert
          # Fill in: an image with Node.js 20.19 or later.
          image: node:22
          # The folder of the project, with the run and node_modules.
          workingDir: /project
          command:
            - /bin/sh
            - -c
            - ${JSON.stringify(commandOf(script, '$((JOB_COMPLETION_INDEX + 1))'))}
          resources:
            requests:
              cpu: "2"
              memory: 4Gi
          volumeMounts:
            - name: project
              mountPath: /project
      volumes:
        - name: project
          persistentVolumeClaim:
            # Fill in: a volume with the folder of the project that many pods can write (ReadWriteMany).
            claimName: project
`;
