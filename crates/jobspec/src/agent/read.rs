//! The syntax tree to what the file says.

use std::collections::BTreeMap;

use hcl_edit::structure::{Block, Body, Structure};

use super::schema::{CLIENT, FILE, HOST_VOLUME, OPTIONS, PLUGIN, RESERVED, USERS};
use super::{Agent, Client, HostVolume, Map, Plugin, artifact, written};
use crate::codes::*;
use crate::decode::{maps, name, no_labels};
use crate::diagnostic::Diagnostic;
use crate::eval::{evaluate, span};
use crate::fields::{Fields, duplicate, header, title};
use crate::report::{Report, Reported};
use crate::suggest::nearest;
use crate::{Attribute, Config, Span, Spanned, Value};

/// Reads a whole file.
pub(super) fn agent(
    body: &Body,
    plugins: &[&str],
    report: &mut Report<'_>,
) -> Result<Agent, Reported> {
    let (fields, passed) = Fields::passing(body, 0..0, &FILE, report);
    let [name, data_dir, region, datacenter] =
        ["name", "data_dir", "region", "datacenter"].map(|name| fields.text(name, report));
    let plugin_dir = passing_text(body, "plugin_dir");
    let client = client(fields.block("client"), report);
    let read = self::plugins(&fields, plugins, report);
    let (client, passed_client) = client?;
    let (plugins, passed_plugins) = read?;
    Ok(Agent {
        name: given(name?),
        data_dir: given(data_dir?),
        plugin_dir,
        region: given(region?),
        datacenter: given(datacenter?),
        client,
        plugins,
        passed: [passed, passed_client, passed_plugins].concat(),
    })
}

/// What is Nomad's to check: `None` where it is not a plain text.
fn passing_text(body: &Body, name: &str) -> Option<Spanned<String>> {
    let attribute = body.get_attribute(name)?;
    let text = attribute.value.as_str()?.to_owned();
    Some(Spanned {
        value: text,
        span: span(&attribute.value),
    })
}

/// An empty text says nothing, as in Nomad.
fn given(text: Option<Spanned<String>>) -> Option<Spanned<String>> {
    text.filter(|text| !text.value.is_empty())
}

fn client(
    block: Option<&Block>,
    report: &mut Report<'_>,
) -> Result<(Client, Vec<Spanned<String>>), Reported> {
    let Some(block) = block else {
        return Ok(Default::default());
    };
    report.inside(title(block), |report| {
        no_labels(block, report);
        let (fields, mut passed) = Fields::passing(&block.body, header(block), &CLIENT, report);
        for key in &mut passed {
            key.value.insert_str(0, "client.");
        }
        let client = of_fields(&fields, &mut passed, report)?;
        Ok((client, passed))
    })
}

fn of_fields(
    fields: &Fields<'_>,
    passed: &mut Vec<Spanned<String>>,
    report: &mut Report<'_>,
) -> Result<Client, Reported> {
    let [class, pool, parent] =
        ["node_class", "node_pool", "cgroup_parent"].map(|name| fields.text(name, report));
    let meta = maps::plain(fields, "meta", report);
    let options = map(fields, "options", report);
    let known = options.and_then(|options| known(options, passed, report));
    let chroot_env = map(fields, "chroot_env", report);
    let host_volumes = host_volumes(fields, report);
    let max_kill_timeout = fields.duration("max_kill_timeout", report);
    let reserved = reserved(fields.block("reserved"), passed, report);
    let min_dynamic_port = fields.integer("min_dynamic_port", report);
    let max_dynamic_port = fields.integer("max_dynamic_port", report);
    let network_interface = fields.text("network_interface", report);
    let artifact = artifact::artifact(fields.block("artifact"), passed, report);
    let users = users(fields.block("users"), report);
    let [dynamic_user_min, dynamic_user_max] = users?;
    let [reserved_cores, reserved_ports] = reserved?;
    Ok(Client {
        node_class: given(class?),
        node_pool: given(pool?),
        meta: meta?,
        options: known?,
        chroot_env: chroot_env?,
        host_volumes: host_volumes?,
        max_kill_timeout: max_kill_timeout?,
        parent: given(parent?),
        dynamic_user_min,
        dynamic_user_max,
        reserved_cores,
        reserved_ports,
        min_dynamic_port: min_dynamic_port?,
        max_dynamic_port: max_dynamic_port?,
        network_interface: given(network_interface?),
        artifact: artifact?,
    })
}

fn map(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<Map>>, Reported> {
    let value = maps::plain(fields, name, report)?;
    let block = fields.block(name).map(header);
    let place = block.or_else(|| fields.argument(name).map(|argument| span(&argument.key)));
    Ok(place.map(|span| Spanned { value, span }))
}

/// Options are a free map: what nobody here reads is let through, unless it looks like one that somebody does.
fn known(
    options: Option<Spanned<Map>>,
    passed: &mut Vec<Spanned<String>>,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<Map>>, Reported> {
    let Some(mut options) = options else {
        return Ok(None);
    };
    let mut result = Ok(());
    for name in options
        .value
        .keys()
        .filter(|name| !OPTIONS.contains(&name.as_str()))
    {
        match nearest(name, OPTIONS) {
            Some(near) => {
                let detail = format!("There is no option \"{name}\". Did you mean \"{near}\"?");
                let unknown = Diagnostic::new(UNSUPPORTED_ARGUMENT, options.span.clone(), detail);
                result = Err(report.add(unknown.fix(format!("\"{near}\""))));
            }
            None => passed.push(Spanned {
                value: format!("client.options \"{name}\""),
                span: options.span.clone(),
            }),
        }
    }
    options
        .value
        .retain(|name, _| OPTIONS.contains(&name.as_str()));
    result.map(|()| Some(options))
}

fn host_volumes(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Vec<HostVolume>, Reported> {
    let mut places: BTreeMap<String, Span> = BTreeMap::new();
    let mut volumes = Vec::new();
    for block in fields.blocks() {
        if block.ident.as_str() != "host_volume" {
            continue;
        }
        let volume = report.inside(title(block), |report| host_volume(block, report));
        if let Ok(volume) = &volume
            && let Some(before) = places.insert(volume.name.value.clone(), volume.name.span.clone())
        {
            let before = report.place(&before);
            let name = &volume.name.value;
            let detail = format!("The host_volume \"{name}\" was already defined at {before}.");
            report.error_at(DUPLICATE_NAME, &volume.name, detail);
        }
        volumes.push(volume);
    }
    volumes.into_iter().collect()
}

fn host_volume(block: &Block, report: &mut Report<'_>) -> Result<HostVolume, Reported> {
    let name = name(block, report);
    let fields = Fields::of(&block.body, header(block), &HOST_VOLUME, report);
    let path = fields.required_text("path", report);
    let read_only = fields.flag("read_only", report);
    Ok(HostVolume {
        name: name?,
        path: path?,
        read_only: read_only?.is_some_and(|flag| flag.value),
    })
}

/// Of what is reserved only cores and ports mean something here: there is nobody who would be told of the rest.
fn reserved(
    block: Option<&Block>,
    passed: &mut Vec<Spanned<String>>,
    report: &mut Report<'_>,
) -> Result<[Option<Spanned<String>>; 2], Reported> {
    let Some(block) = block else {
        return Ok([None, None]);
    };
    report.inside("reserved".to_owned(), |report| {
        no_labels(block, report);
        let fields = Fields::of(&block.body, header(block), &RESERVED, report);
        let amounts = ["cpu", "memory", "disk"].map(|name| not_negative(&fields, name, report));
        let ports = fields.text("reserved_ports", report);
        let cores = fields.text("cores", report);
        for name in ["cpu", "memory", "disk"] {
            passed.extend(fields.argument(name).map(|argument| Spanned {
                value: format!("client.reserved.{name}"),
                span: span(&argument.key),
            }));
        }
        amounts.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok([given(cores?), given(ports?)])
    })
}

fn users(
    block: Option<&Block>,
    report: &mut Report<'_>,
) -> Result<[Option<Spanned<i64>>; 2], Reported> {
    let Some(block) = block else {
        return Ok([None, None]);
    };
    report.inside("users".to_owned(), |report| {
        no_labels(block, report);
        let fields = Fields::of(&block.body, header(block), &USERS, report);
        let min = not_negative(&fields, "dynamic_user_min", report);
        let max = not_negative(&fields, "dynamic_user_max", report);
        Ok([min?, max?])
    })
}

pub(super) fn not_negative(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<i64>>, Reported> {
    match fields.integer(name, report)? {
        Some(given) if given.value < 0 => {
            let detail = format!("\"{name}\" must not be negative.");
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
        given => Ok(given),
    }
}

type Plugins = (Vec<Plugin>, Vec<Spanned<String>>);

fn plugins(
    fields: &Fields<'_>,
    names: &[&str],
    report: &mut Report<'_>,
) -> Result<Plugins, Reported> {
    let mut places: BTreeMap<String, Span> = BTreeMap::new();
    let (mut plugins, mut passed) = (Vec::new(), Vec::new());
    for block in fields.blocks() {
        if block.ident.as_str() != "plugin" {
            continue;
        }
        let Ok(name) = name(block, report) else {
            continue;
        };
        if let Some(before) = places.insert(name.value.clone(), header(block)) {
            duplicate("plugin", header(block), &before, report);
        } else if names.contains(&name.value.as_str()) {
            plugins.push(report.inside(title(block), |report| plugin(block, name, report)));
        } else if let Some(near) = nearest(&name.value, names.iter().copied()) {
            let detail = format!(
                "There is no plugin \"{}\" here. Did you mean \"{near}\"?",
                name.value
            );
            let unknown = Diagnostic::new(INVALID_NAME, name.span, detail);
            report.add(unknown.fix(format!("\"{near}\"")));
        } else {
            passed.push(Spanned {
                value: title(block),
                span: header(block),
            });
        }
    }
    let plugins: Result<_, _> = plugins.into_iter().collect();
    Ok((plugins?, passed))
}

fn plugin(
    block: &Block,
    name: Spanned<String>,
    report: &mut Report<'_>,
) -> Result<Plugin, Reported> {
    let fields = Fields::of(&block.body, header(block), &PLUGIN, report);
    let args = fields.texts("args", report);
    let config = match fields.block("config") {
        Some(config) => report.inside("config".to_owned(), |report| self::config(config, report)),
        None => Ok(Config {
            span: header(block),
            attributes: BTreeMap::new(),
        }),
    };
    Ok(Plugin {
        name,
        span: header(block),
        args: args?,
        config: config?,
    })
}

/// Every name and value; which of them there are is the plugin's business.
fn config(block: &Block, report: &mut Report<'_>) -> Result<Config, Reported> {
    no_labels(block, report);
    let mut attributes = BTreeMap::new();
    let mut result = Ok(());
    for structure in &block.body {
        match attribute(structure, report) {
            Ok((name, attribute)) => {
                if let Some(before) = attributes.insert(name.clone(), attribute.clone()) {
                    let before: Attribute = before;
                    duplicate(&name, attribute.name_span, &before.name_span, report);
                }
            }
            Err(reported) => result = Err(reported),
        }
    }
    result.map(|()| Config {
        span: header(block),
        attributes,
    })
}

fn attribute(
    structure: &Structure,
    report: &mut Report<'_>,
) -> Result<(String, Attribute), Reported> {
    let (name, name_span, value_span, value) = match structure {
        Structure::Attribute(attribute) => (
            attribute.key.as_str(),
            span(&attribute.key),
            span(&attribute.value),
            evaluate(&attribute.value, report)?,
        ),
        Structure::Block(block) => (
            block.ident.as_str(),
            span(&block.ident),
            header(block),
            object(block, report)?,
        ),
    };
    let name = written(name, &name_span, report);
    Ok((
        name,
        Attribute {
            name_span,
            value_span,
            value,
            // A configuration is evaluated once: nothing of it is looked up again.
            origins: Vec::new(),
        },
    ))
}

/// A block that stands for a map.
fn object(block: &Block, report: &mut Report<'_>) -> Result<Value, Reported> {
    let inner = report.inside(title(block), |report| config(block, report))?;
    let values = inner.attributes.into_iter();
    Ok(Value::Object(
        values
            .map(|(name, attribute)| (name, attribute.value))
            .collect(),
    ))
}
