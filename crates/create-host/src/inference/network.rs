//! The network that the hosts share.

use crate::fleet::{Fleet, Inference};

use super::facts::{Facts, Place, describe_places, group, parse_like};

/// Sets the gateway, the name servers and the domain, where all files that have one agree.
pub(super) fn find_network(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    if !fleet.settings.is_given("network.gateway") {
        find_gateway(fleet, facts, inference);
    }
    if !fleet.settings.is_given("network.nameservers") {
        find_nameservers(fleet, facts, inference);
    }
    if !fleet.settings.is_given("network.domain") {
        find_domain(fleet, facts, inference);
    }
}

fn find_gateway(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    let mut found = facts.find(
        &[
            &["networking", "defaultGateway"],
            &["networking", "defaultGateway", "address"],
            &["networks", "*", "gateway"],
        ],
        &[&["variable", "gateway", "default"]],
    );
    found.extend(gateways_of_machines(fleet, facts));
    let model = &fleet.settings.network.gateway;
    let found = sole_texts(found, |text| parse_like(text, model).is_some());
    if let [(gateway, places)] = found.as_slice()
        && let Some(valid) = parse_like(gateway, model)
    {
        fleet.settings.network.gateway = valid;
        let summary = format!("the gateway `{gateway}`");
        inference.add("network.gateway", describe_places(places), summary);
    }
}

/// Returns the gateways in the entries of the map of machines.
fn gateways_of_machines(fleet: &Fleet, facts: &Facts) -> Vec<(Vec<String>, Place)> {
    let map = &fleet.settings.vms_place.path;
    let file = fleet.settings.paths.vms.as_str();
    let inside = facts.declarations.iter().filter(|(path, declaration)| {
        path == file && declaration.path.starts_with(map) && declaration.path.len() > map.len() + 1
    });
    inside
        .filter_map(|(_, declaration)| {
            let name = declaration.path.last()?.as_str();
            let text = declaration.texts.first()?;
            let gateway = if ["gateway", "gw", "gw4", "default_gateway"].contains(&name) {
                text.as_str()
            } else {
                text.split(',')
                    .find_map(|part| part.trim().strip_prefix("gw="))?
            };
            let gateway = gateway.split('/').next().unwrap_or_default().to_owned();
            Some((vec![gateway], Place::new(file, declaration.line)))
        })
        .collect()
}

fn find_nameservers(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    let found = facts.find(
        &[&["networking", "nameservers"]],
        &[
            &["variable", "nameservers", "default"],
            &["variable", "dns_servers", "default"],
        ],
    );
    let model = &fleet.settings.network.gateway;
    let parse = |texts: &[String]| -> Option<Vec<_>> {
        texts.iter().map(|text| parse_like(text, model)).collect()
    };
    let mut groups = group(found);
    groups.retain(|(texts, _)| !texts.is_empty() && parse(texts).is_some());
    if let [(servers, places)] = groups.as_slice()
        && let Some(valid) = parse(servers)
    {
        fleet.settings.network.nameservers = valid;
        let summary = "the name servers".to_owned();
        inference.add("network.nameservers", describe_places(places), summary);
    }
}

fn find_domain(fleet: &mut Fleet, facts: &Facts, inference: &mut Inference) {
    let found = facts.find(
        &[&["networking", "domain"]],
        &[&["variable", "domain", "default"]],
    );
    let model = &fleet.settings.network.domain;
    let found = sole_texts(found, |text| parse_like(text, model).is_some());
    if let [(domain, places)] = found.as_slice()
        && let Some(valid) = parse_like(domain, model)
    {
        fleet.settings.network.domain = valid;
        let summary = format!("the domain `{domain}`");
        inference.add("network.domain", describe_places(places), summary);
    }
}

/// Returns the single texts that are valid, with their places.
fn sole_texts(
    found: Vec<(Vec<String>, Place)>,
    is_valid: impl Fn(&str) -> bool,
) -> Vec<(String, Vec<Place>)> {
    let single = found.into_iter().filter_map(|(mut texts, place)| {
        let text = texts.pop().filter(|text| is_valid(text))?;
        texts.is_empty().then_some((text, place))
    });
    group(single.collect())
}
