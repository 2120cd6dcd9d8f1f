//! Notes and warnings about a new host: the origins of its entry, its gateway, the next steps.

use zts_cli::shell_word;

use crate::{
    change::FileChange,
    evaluation::{host_folder, is_new_file, list_places},
    git,
    host_paths::choose_main,
    job::{Job, report_origins},
    plan::{CreationPlan, Sources},
    report::Report,
};

/// Reports the origins of the settings and of the entry, and the plan's notes.
pub(super) fn report_plan(
    job: &Job<'_>,
    plan: &CreationPlan,
    sources: &Sources,
    report: &mut Report,
) {
    report_origins(job, plan.learnt.as_deref(), report);
    for note in &plan.notes {
        report.note(note);
    }
    if let Some(note) = sources.generated_note(&plan.changes, &job.fleet.settings) {
        report.note(&note);
    }
}

/// Warns of a gateway that the host cannot reach, if its files or entries name the gateway.
pub(super) fn warn_of_gateway(
    job: &Job<'_>,
    plan: &CreationPlan,
    sources: &Sources,
    report: &mut Report,
) {
    let settings = &job.fleet.settings;
    let gateway = settings.network.gateway.address();
    let (Some(address), Some(gateway)) = (plan.address, gateway) else {
        return;
    };
    let is_written = !plan.changes.is_empty() && sources.mention_gateway(settings);
    if is_written && !address.is_in_network_with(gateway) {
        report.warn(format!(
            "the gateway `{gateway}` is not in the network of `{address}`: check `gateway` under `[network]` in `fleet.toml`"
        ));
    }
}

/// Reports what is left to do: new files must be added to git, because a flake sees no others.
pub(super) fn report_next_step(
    job: &Job<'_>,
    changes: &[FileChange],
    are_tracked: bool,
    sources: &Sources,
    report: &mut Report,
) {
    let name = job.name.as_str();
    let new_files = changes.iter().filter(|change| is_new_file(job, change));
    let paths: Vec<String> = new_files.map(|change| change.path.clone()).collect();
    let places = list_places(&paths, name);
    if places.is_empty() || job.arguments.dry_run {
        return;
    }
    let root = job.fleet.tree.root();
    let ignored = git::list_ignored(root, &paths);
    if let Some(path) = ignored.first().filter(|_| !are_tracked) {
        report.warn(format!("git ignores `{path}`: the flake does not see it"));
    } else if !are_tracked && git::is_repository(root) {
        let tree = &job.fleet.tree;
        let words = places
            .iter()
            .map(|place| shell_word(&tree.path_from_here(place)));
        let words: Vec<String> = words.collect();
        report.note(&format!(
            "next: `git add {}`, because a flake sees only files that git tracks",
            words.join(" ")
        ));
    }
    let main = choose_main(paths.iter().map(String::as_str), name);
    let place = main.map_or(places[0], |main| host_folder(main, name));
    report_missing_options(job, place, sources, report);
}

/// Reports the options that the host's files lack: a name with a domain is not NixOS's host name;
/// without the module a host fetches nothing.
fn report_missing_options(job: &Job<'_>, place: &str, sources: &Sources, report: &Report) {
    let name = job.name.as_str();
    if job.name.split_domain().is_some() {
        report.note(&format!(
            "next: set `vault.hostName = \"{name}\";` in `{place}`, because `networking.hostName` has no dots",
        ));
    }
    if sources.lack_module() {
        report.note(&format!(
            "next: in `{place}`, import the module `nixosModules.default` of the flake zero-touch-secrets and set \
             `vault.enable = true;`: without it, `{name}` fetches no secrets"
        ));
    }
}
