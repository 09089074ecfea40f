/** What Git wants: revision → tree → manifests, made ready for the cluster. Remembered by commit. */
import { isDeepStrictEqual } from "node:util";
import type { KubeObject, Resource } from "@travelops/kube";
import { foldStringData } from "../diff/normalize.ts";
import type { GitRepositories } from "../source/git-repository.ts";
import { placeOf, type Manifest } from "../source/manifests.ts";
import { render, type Renderer } from "../source/render.ts";
import { normalizeRepoUrl, type RepositoryCredentials } from "../source/repository-credentials.ts";
import { SourceError } from "../source/source-error.ts";
import { sourceOf } from "./auto-sync.ts";
import { keyTextOf } from "./resource-key.ts";
import { trackingId, withTracking } from "./tracking.ts";
import type { Application, ApplicationSource, SourceType } from "./types.ts";

export interface TargetState {
  revision: string;
  type: SourceType;
  objects: KubeObject[];
  /** Place of each object's manifest, by resource key. */
  places: ReadonlyMap<string, string>;
  /** Resources that appear twice: the last one counts, and the Application says so. */
  repeated: string[];
}

export interface TargetStateDeps {
  git: GitRepositories;
  renderer: Renderer;
  credentials: (url: string) => RepositoryCredentials | undefined;
  resourceFor: (object: KubeObject) => Promise<Resource | undefined>;
  cluster: () => Promise<{ kubeVersion: string; apiVersions: string[] }>;
  instanceOf: (application: Application) => string;
  now: () => number;
  /** How long a branch's commit is believed without being asked again (a push announces itself). */
  revisionTtlMs: number;
}

interface Remembered {
  source: ApplicationSource;
  namespace: string | undefined;
  apiVersions: string;
  target: TargetState;
}

export class TargetStates {
  readonly #deps: TargetStateDeps;
  readonly #revisions = new Map<string, { commit: string; at: number }>();
  readonly #asking = new Map<string, { asked: number; commit: Promise<string>; signal: AbortSignal }>();
  readonly #targets = new Map<string, Remembered>();
  /** Counts announcements, so that an answer asked for before one is not kept after it. */
  #announcements = 0;

  constructor(deps: TargetStateDeps) {
    this.#deps = deps;
  }

  /** Someone pushed: what is known of the repository's branches is asked anew. */
  forgetRepository(url: string): void {
    this.#announcements++;
    const wanted = normalizeRepoUrl(url);
    for (const key of this.#revisions.keys())
      if (normalizeRepoUrl(key.split("\n")[0] ?? "") === wanted) this.#revisions.delete(key);
  }

  /** A hard refresh renders anew as well. */
  forgetApplication(key: string): void {
    this.#targets.delete(key);
  }

  async revision(application: Application, signal: AbortSignal): Promise<string> {
    const source = singleSource(application);
    const key = `${source.repoURL}\n${source.targetRevision ?? "HEAD"}`;
    const known = this.#revisions.get(key);
    if (known !== undefined && this.#deps.now() - known.at < this.#deps.revisionTtlMs) return known.commit;
    return this.#ask(key, source, signal);
  }

  /** After a push all Applications of a repository ask at once: they share one answer, unless it was asked for before. */
  async #ask(key: string, source: ApplicationSource, signal: AbortSignal): Promise<string> {
    const asked = this.#announcements;
    const underWay = this.#asking.get(key);
    if (underWay?.asked === asked) {
      try {
        return await underWay.commit;
      } catch (error) {
        // Whoever asked may have been called off; that is no answer to us.
        if (!underWay.signal.aborted || signal.aborted) throw error;
      }
    }
    const commit = this.#deps.git.resolve(
      source.repoURL,
      source.targetRevision ?? "HEAD",
      this.#deps.credentials(source.repoURL),
      signal,
    );
    const own = { asked, commit, signal };
    this.#asking.set(key, own);
    try {
      const found = await commit;
      if (asked === this.#announcements) this.#revisions.set(key, { commit: found, at: this.#deps.now() });
      return found;
    } finally {
      if (this.#asking.get(key) === own) this.#asking.delete(key);
    }
  }

  async get(key: string, application: Application, revision: string, signal: AbortSignal): Promise<TargetState> {
    const source = singleSource(application);
    const { namespace } = application.spec.destination;
    const cluster = await this.#deps.cluster();
    const apiVersions = source.helm?.apiVersions?.join() ?? cluster.apiVersions.join();
    const known = this.#targets.get(key);
    if (
      known?.target.revision === revision &&
      known.namespace === namespace &&
      known.apiVersions === apiVersions &&
      isDeepStrictEqual(known.source, source)
    )
      return known.target;
    const tree = await this.#deps.git.tree(
      source.repoURL,
      revision,
      source.targetRevision ?? "HEAD",
      this.#deps.credentials(source.repoURL),
      signal,
    );
    const rendered = await render(this.#deps.renderer, {
      application,
      source,
      tree,
      revision,
      ...cluster,
      signal,
    });
    const target = await this.#prepare(application, revision, rendered.type, rendered.manifests);
    this.#targets.set(key, { source, namespace, apiVersions, target });
    return target;
  }

  async #prepare(
    application: Application,
    revision: string,
    type: SourceType,
    manifests: readonly Manifest[],
  ): Promise<TargetState> {
    const places = new Map<string, string>();
    const objects = new Map<string, KubeObject>();
    const repeated: string[] = [];
    for (const manifest of manifests) {
      const object = await this.#place(application, manifest.object);
      const key = keyTextOf(object);
      if (objects.has(key)) repeated.push(key);
      objects.set(key, object);
      places.set(key, placeOf(manifest));
    }
    return { revision, type, objects: [...objects.values()], places, repeated };
  }

  /** The destination's namespace for namespaced kinds, none for the others, and the mark of ownership. */
  async #place(application: Application, object: KubeObject): Promise<KubeObject> {
    const resource = await this.#deps.resourceFor(object);
    const destination = application.spec.destination.namespace ?? "";
    const { namespace: _given, ...metadata } = object.metadata;
    const namespace = object.metadata.namespace ?? destination;
    const namespaced = resource?.namespaced ?? true;
    const placed = foldStringData({
      ...object,
      metadata: namespaced && namespace !== "" ? { ...metadata, namespace } : metadata,
    });
    return withTracking(placed, trackingId(this.#deps.instanceOf(application), placed, destination));
  }
}

export function singleSource(application: Application): ApplicationSource {
  const { sources } = application.spec;
  if (sources !== undefined && sources.length > 1)
    throw new SourceError("spec.sources: several sources of one Application are not supported; use spec.source");
  const source = sourceOf(application);
  if (source === undefined) throw new SourceError("spec.source is missing");
  if (source.repoURL === undefined || source.repoURL === "") throw new SourceError("spec.source.repoURL is missing");
  if (source.chart !== undefined && source.chart !== "")
    throw new SourceError(
      "spec.source.chart: charts from a Helm repository are not supported; keep the chart in Git and use spec.source.path",
    );
  return source;
}
