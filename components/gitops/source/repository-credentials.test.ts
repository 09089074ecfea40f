import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import { credentialsFor } from "./repository-credentials.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const secret = (type: string, url: string, password: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: password, labels: { "argocd.argoproj.io/secret-type": type } },
  data: { url: base64(url), username: base64("git"), password: base64(password) },
});
const passwordFor = (url: string, ...secrets: KubeObject[]): string | undefined =>
  credentialsFor(url, secrets)?.password;

describe("credentials of a repository", () => {
  it("are those of its own Secret, else those of the longest prefix", () => {
    const secrets = [
      secret("repo-creds", "https://git.example.com", "host"),
      secret("repo-creds", "https://git.example.com/team", "team"),
      secret("repository", "https://git.example.com/team/one.git", "own"),
    ];
    expect(passwordFor("https://git.example.com/team/one", ...secrets)).toBe("own");
    expect(passwordFor("https://git.example.com/team/two.git", ...secrets)).toBe("team");
    expect(passwordFor("https://git.example.com/other/one", ...secrets)).toBe("host");
    expect(passwordFor("git@git.example.com:team/one", secret("repo-creds", "git@git.example.com", "ssh"))).toBe("ssh");
  });

  it.each([
    ["https://git.example.com", "https://git.example.com.evil.example/team/one"],
    ["https://git.example.com/team", "https://git.example.com/team-of-others/one"],
    ["https://git.example.com", "https://git.example.com:8443/team/one"],
    ["", "https://git.example.com/team/one"],
  ])("of the prefix %j do not go to %s", (prefix, url) => {
    expect(passwordFor(url, secret("repo-creds", prefix, "secret"))).toBeUndefined();
  });
});
