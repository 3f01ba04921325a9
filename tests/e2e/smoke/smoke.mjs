// The smoke script of @huggingface/hub: the same output as run.py.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.SMOKE_MODULES, "node_modules", "x"));
const hub = require("@huggingface/hub");

const USER = process.env.SMOKE_USER;
const MARK = process.env.SMOKE_MARK; // part of each name, since all clients meet the same hub
const hubUrl = process.env.HF_ENDPOINT;
const mine = { hubUrl, accessToken: process.env.HF_TOKEN };
const others = { hubUrl, accessToken: process.env.SMOKE_OTHER_TOKEN };
const nobody = { hubUrl };
const MIB = 1 << 20;

const named = (word, type = "model") => ({ type, name: `${USER}/${MARK}-${word}` });

async function make(word, type = "model", options = {}) {
	const repo = named(word, type);
	await hub.createRepo({ repo, ...options, ...mine });
	return repo;
}

const put = (repo, path, content, options = {}) =>
	hub.uploadFile({ repo, file: { path, content: new Blob([content]) }, ...options, ...mine });

async function list(generator) {
	const all = [];
	for await (const entry of generator) {
		all.push(entry);
	}
	return all;
}

const paths = async (repo, options = {}) =>
	(await list(hub.listFiles({ repo, recursive: true, ...options, ...mine })))
		.filter((entry) => entry.type === "file")
		.map((entry) => entry.path)
		.sort();

const text = async (repo, path, options = {}) =>
	(await hub.downloadFile({ repo, path, ...options, ...mine }))?.text();

const refused = (status, promise) => assert.rejects(promise, (error) => error.statusCode === status);

// A fetch that asks for pages of two entries, whatever the library asks for.
function pagesOfTwo(asked) {
	return (url, options) => {
		const small = String(url).replace(/limit=\d+/, "limit=2");
		asked.push(small);
		return fetch(small, options);
	};
}

const checks = {
	async whoAmI() {
		const me = await hub.whoAmI(mine);
		assert.equal(me.name, USER);
		assert.equal(me.auth.accessToken.role, "write");
		assert.ok(me.orgs.some((org) => org.name === process.env.SMOKE_ORG));
		await refused(401, hub.whoAmI({ hubUrl, accessToken: "hf_thisTokenIsNone" }));
	},

	async createTwice() {
		const repo = named("twice", "space");
		const made = await hub.createRepo({ repo, sdk: "gradio", ...mine });
		assert.equal(made.repoUrl, `${hubUrl}/spaces/${repo.name}`);
		assert.match(made.id, /^[0-9a-f]{24}$/);
		await refused(409, hub.createRepo({ repo, sdk: "gradio", ...mine }));
		assert.ok(await hub.repoExists({ repo, ...mine }));
		await hub.checkRepoAccess({ repo, ...mine });
		assert.equal((await hub.spaceInfo({ name: repo.name, ...mine })).sdk, "gradio");
		await refused(403, hub.deleteRepo({ repo, ...others }));
		await hub.deleteRepo({ repo, ...mine });
		assert.ok(!(await hub.repoExists({ repo, ...mine })));
	},

	async createWithFiles() {
		const repo = await make("files", "model", {
			license: "mit",
			files: [{ path: "a.txt", content: new TextEncoder().encode("a").buffer }],
		});
		assert.ok((await paths(repo)).includes("a.txt"));
		assert.equal(await text(repo, "a.txt"), "a");
	},

	async privateIsHidden() {
		const repo = await make("private", "dataset", { visibility: "private" });
		assert.equal((await hub.datasetInfo({ name: repo.name, ...mine })).private, true);
		assert.ok(!(await hub.repoExists({ repo, ...nobody })));
		assert.ok(!(await hub.repoExists({ repo, ...others })));
		await refused(401, hub.checkRepoAccess({ repo, ...nobody }));
		await refused(404, hub.checkRepoAccess({ repo, ...others }));
	},

	// The library has no call that moves.
	async theOldNameLeadsOn() {
		const old = await make("moved-from", "dataset");
		const to = named("moved-to", "dataset");
		await put(old, "a folder/ünï.txt", "here");
		const moved = await fetch(`${hubUrl}/api/repos/move`, {
			method: "POST",
			headers: { Authorization: `Bearer ${mine.accessToken}`, "Content-Type": "application/json" },
			body: JSON.stringify({ fromRepo: old.name, toRepo: to.name, type: "dataset" }),
		});
		assert.equal(moved.status, 200);
		assert.equal((await hub.datasetInfo({ name: old.name, ...mine })).name, to.name);
		assert.equal((await hub.fileDownloadInfo({ repo: old, path: "a folder/ünï.txt", ...mine })).size, 4);
		assert.equal(await text(old, "a folder/ünï.txt"), "here");
		assert.ok(await hub.fileExists({ repo: old, path: "a folder/ünï.txt", ...mine }));
	},

	async everySize() {
		const repo = await make("sizes");
		const binary = new Uint8Array(MIB).map((_, at) => at);
		const large = new Uint8Array(60 * MIB).map((_, at) => at >> 8);
		await put(repo, "text.txt", "Grüße\n");
		await put(repo, "empty", "");
		await put(repo, "a folder/ünï.bin", binary);
		await put(repo, "large.bin", large);
		assert.equal(await text(repo, "text.txt"), "Grüße\n");
		assert.equal(await text(repo, "empty"), "");
		for (const [path, content] of Object.entries({ "a folder/ünï.bin": binary, "large.bin": large })) {
			const info = await hub.fileDownloadInfo({ repo, path, ...mine });
			assert.equal(info.size, content.length);
			const back = await hub.downloadFile({ repo, path, ...mine });
			assert.ok(Buffer.from(content).equals(Buffer.from(await back.arrayBuffer())), path);
		}
		const blob = await hub.downloadFile({ repo, path: "large.bin", ...mine });
		const slice = new Uint8Array(await blob.slice(30 * MIB, 30 * MIB + 4).arrayBuffer());
		assert.deepEqual(slice, large.slice(30 * MIB, 30 * MIB + 4));
	},

	async commits() {
		const repo = await make("commits");
		await put(repo, "old", "old");
		await put(repo, "dir/a", "a");
		const made = await hub.commit({
			repo,
			title: "all at once",
			operations: [
				{ operation: "addOrUpdate", path: "new", content: new Blob(["new"]) },
				{ operation: "delete", path: "old" },
			],
			...mine,
		});
		assert.equal(made.commit.url, `${hubUrl}/${repo.name}/commit/${made.commit.oid}`);
		assert.deepEqual(await paths(repo), [".gitattributes", "dir/a", "new"]);
		await hub.deleteFiles({ repo, paths: ["dir"], ...mine });
		assert.deepEqual(await paths(repo), [".gitattributes", "new"]);
		await refused(404, hub.deleteFile({ repo, path: "never-there", ...mine }));
		await refused(412, put(repo, "x", "x", { parentCommit: made.commit.oid }));
		await refused(403, hub.uploadFile({ repo, file: { path: "x", content: new Blob(["x"]) }, ...others }));
		const history = await list(hub.listCommits({ repo, ...mine }));
		assert.equal(history[1].title, "all at once");
		assert.equal(history[1].authors[0].username, USER);
		assert.equal(await hub.countCommits({ repo, ...mine }), history.length);
	},

	async copies() {
		const repo = await make("copies");
		await put(repo, "dir/a.txt", "text");
		await put(repo, "dir/b.bin", new Uint8Array(MIB));
		await hub.copyFile({ source: { repo, path: "dir/a.txt" }, destination: { repo, path: "c.txt" }, ...mine });
		await hub.copyFolder({ source: { repo, path: "dir" }, destination: { repo, path: "copy" }, ...mine });
		assert.equal(await text(repo, "c.txt"), "text");
		assert.deepEqual((await paths(repo)).slice(2, 4), ["copy/a.txt", "copy/b.bin"]);
	},

	async missing() {
		const repo = await make("missing");
		assert.ok(await hub.fileExists({ repo, path: ".gitattributes", ...mine }));
		assert.ok(!(await hub.fileExists({ repo, path: "nothing", ...mine })));
		assert.equal(await hub.fileDownloadInfo({ repo, path: "nothing", ...mine }), null);
		assert.equal(await hub.downloadFile({ repo, path: "nothing", ...mine }), null);
		await refused(404, paths(repo, { revision: "nope" }));
		await refused(404, hub.modelInfo({ name: `${USER}/${MARK}-never-made`, ...mine }));
	},

	async listings() {
		const repo = await make("listings", "dataset");
		await put(repo, "a.csv", "a,b\n", { commitTitle: "the data" });
		await put(repo, "dir/b.csv", "c\n");
		const found = await list(hub.listFiles({ repo, ...mine }));
		assert.deepEqual(found.map((entry) => [entry.type, entry.path]).sort(), [
			["directory", "dir"],
			["file", ".gitattributes"],
			["file", "a.csv"],
		]);
		const [info] = await hub.pathsInfo({ repo, paths: ["a.csv", "nothing"], expand: true, ...mine });
		assert.deepEqual([info.path, info.size, info.lastCommit.title], ["a.csv", 4, "the data"]);
	},

	async snapshot() {
		const repo = await make("snapshot", "dataset");
		await put(repo, "a.txt", "a");
		await put(repo, "sub/b.txt", "b");
		await put(repo, "empty", "");
		const cacheDir = await mkdtemp(join(tmpdir(), "espace-js-"));
		const folder = await hub.snapshotDownload({ repo, cacheDir, ...mine });
		assert.equal(await readFile(join(folder, "sub/b.txt"), "utf-8"), "b");
		assert.equal(await hub.snapshotDownload({ repo, cacheDir, ...mine }), folder);
		await rm(cacheDir, { recursive: true });
	},

	async branches() {
		const repo = await make("branches");
		await put(repo, "a", "1");
		await hub.createBranch({ repo, branch: "dev", ...mine });
		await refused(409, hub.createBranch({ repo, branch: "dev", ...mine }));
		await hub.createBranch({ repo, branch: "dev", overwrite: true, ...mine });
		await put(repo, "b", "2", { branch: "dev" });
		assert.deepEqual(await paths(repo, { revision: "dev" }), [".gitattributes", "a", "b"]);
		assert.deepEqual(await paths(repo), [".gitattributes", "a"]);
		await hub.createBranch({ repo, branch: "void", empty: true, ...mine });
		assert.deepEqual(await paths(repo, { revision: "void" }), []);
		await hub.deleteBranch({ repo, branch: "dev", ...mine });
		await refused(404, paths(repo, { revision: "dev" }));
	},

	async lists() {
		const made = [];
		for (const number of [1, 2, 3, 4, 5]) {
			made.push((await make(`list-${number}`, "dataset")).name);
		}
		const asked = [];
		const search = { owner: USER, query: `${MARK}-list-` };
		const found = await list(
			hub.listDatasets({ search, sort: "createdAt", additionalFields: ["author", "sha"], fetch: pagesOfTwo(asked), ...mine }),
		);
		assert.deepEqual(found.map((entry) => entry.name), made.reverse());
		assert.equal(asked.length, 3);
		assert.equal(found[0].author, USER);
		assert.match(found[0].sha, /^[0-9a-f]{40}$/);
		assert.ok(found[0].updatedAt instanceof Date);
		assert.equal((await list(hub.listDatasets({ search, limit: 3, ...mine }))).length, 3);
		await make("list-space", "space", { sdk: "gradio" });
		const [space] = await list(hub.listSpaces({ search: { query: `${MARK}-list-space` }, ...mine }));
		assert.equal(space.sdk, "gradio");
		await make("list-model");
		const [model] = await list(hub.listModels({ search: { query: `${MARK}-list-model` }, ...mine }));
		assert.deepEqual([model.private, model.likes], [false, 0]);
	},
};

const word = process.argv[2] ?? "";
const result = { passed: 0, failed: {} };
for (const [label, check] of Object.entries(checks)) {
	if (!label.includes(word)) {
		continue;
	}
	const start = performance.now();
	try {
		await check();
		result.passed++;
	} catch (error) {
		result.failed[label] = `${label}: ${error.stack}`;
	}
	const seconds = (performance.now() - start) / 1000;
	console.log(`${seconds.toFixed(2).padStart(6)} s ${label in result.failed ? "FAILED" : "ok"} ${label}`);
}
console.log(JSON.stringify(result));
