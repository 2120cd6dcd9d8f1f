//! The network that the hosts share.

use crate::fleet::{Checked, Fleet, Inference, IpText};

use super::facts::{Facts, Place, describe_places, group, parse_setting};

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
    if let Some((setting, text, places)) = find_agreed(found) {
        fleet.settings.network.gateway = setting;
        let summary = format!("the gateway `{text}`");
        inference.add("network.gateway", describe_places(&places), summary);
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
    let parse = |texts: &[String]| -> Option<Vec<Checked<IpText>>> {
        texts.iter().map(|text| parse_setting(text)).collect()
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
    if let Some((setting, text, places)) = find_agreed(found) {
        fleet.settings.network.domain = setting;
        let summary = format!("the domain `{text}`");
        inference.add("network.domain", describe_places(&places), summary);
    }
}

/// Returns the only valid text of the places that have a single one, as a setting and as it is,
/// with its places; `None` if the places differ.
fn find_agreed<T: TryFrom<String>>(
    found: Vec<(Vec<String>, Place)>,
) -> Option<(T, String, Vec<Place>)> {
    let single = found.into_iter().filter_map(|(mut texts, place)| {
        let text = texts
            .pop()
            .filter(|text| parse_setting::<T>(text).is_some())?;
        texts.is_empty().then_some((text, place))
    });
    let mut groups = group(single.collect());
    let (text, places) = groups.pop().filter(|_| groups.is_empty())?;
    Some((parse_setting(&text)?, text, places))
}
