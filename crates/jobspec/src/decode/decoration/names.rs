//! The names of what is for a cluster, and of what type each is.

use crate::schema::{Nested, Schema, many, one};

/// What an argument's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Flag,
    Duration,
    /// Any whole number.
    Number,
    /// A whole number that is not negative.
    Count,
}

/// By name alone: Nomad gives no name two types in these blocks.
pub(super) fn kind(name: &str) -> Kind {
    match name {
        "aud" | "args" | "devices" | "extra_claims" | "policies" => Kind::Texts,
        "all_at_once"
        | "allow_token_expiration"
        | "auto_promote"
        | "auto_revert"
        | "disable_file"
        | "enabled"
        | "env"
        | "file"
        | "migrate"
        | "prevent_reschedule_on_lost"
        | "replace"
        | "sticky"
        | "unlimited" => Kind::Flag,
        "delay"
        | "healthy_deadline"
        | "interval"
        | "lost_after"
        | "max_client_disconnect"
        | "max_delay"
        | "min_healthy_time"
        | "progress_deadline"
        | "stagger"
        | "stop_after_client_disconnect"
        | "stop_on_client_after"
        | "ttl" => Kind::Duration,
        "weight" => Kind::Number,
        "attempts" | "canary" | "iops" | "max" | "max_parallel" | "min" | "percent" | "size" => {
            Kind::Count
        }
        _ => Kind::Text,
    }
}

const fn arguments(arguments: &'static [&'static str]) -> Schema {
    with(arguments, &[])
}

const fn with(arguments: &'static [&'static str], blocks: &'static [Nested]) -> Schema {
    Schema {
        arguments,
        blocks,
        later_arguments: &[],
        later_blocks: &[],
    }
}

pub(super) const ACTION: Schema = arguments(&["args", "command"]);

pub(super) const AFFINITY: Schema = arguments(&[
    "attribute",
    "operator",
    "regexp",
    "semver",
    "set_contains",
    "set_contains_all",
    "set_contains_any",
    "value",
    "version",
    "weight",
]);

pub(super) const CONSUL: Schema = arguments(&["cluster", "namespace", "partition"]);

pub(super) const DISCONNECT: Schema =
    arguments(&["lost_after", "reconcile", "replace", "stop_on_client_after"]);

pub(super) const EPHEMERAL_DISK: Schema = arguments(&["migrate", "size", "sticky"]);

pub(super) const IDENTITY: Schema = arguments(&[
    "aud",
    "change_mode",
    "change_signal",
    "env",
    "extra_claims",
    "file",
    "filepath",
    "name",
    "service_name",
    "ttl",
]);

pub(super) const MIGRATE: Schema = arguments(&[
    "health_check",
    "healthy_deadline",
    "max_parallel",
    "min_healthy_time",
]);

pub(super) const NUMA: Schema = arguments(&["affinity", "devices"]);

pub(super) const RESCHEDULE: Schema = arguments(&[
    "attempts",
    "delay",
    "delay_function",
    "interval",
    "max_delay",
    "unlimited",
]);

pub(super) const SCALING: Schema = with(&["enabled", "max", "min", "type"], &[one("policy")]);

pub(super) const SCHEDULE: Schema = with(&[], &[one("cron")]);

pub(super) const SCHEDULE_CRON: Schema = arguments(&["end", "start", "timezone"]);

pub(super) const SPREAD: Schema = with(&["attribute", "weight"], &[many("target")]);

pub(super) const SPREAD_TARGET: Schema = arguments(&["percent"]);

pub(super) const UI: Schema = with(&["description"], &[many("link")]);

pub(super) const UI_LINK: Schema = arguments(&["label", "url"]);

pub(super) const UPDATE: Schema = arguments(&[
    "auto_promote",
    "auto_revert",
    "canary",
    "health_check",
    "healthy_deadline",
    "max_parallel",
    "min_healthy_time",
    "progress_deadline",
    "stagger",
]);

pub(super) const VAULT: Schema = arguments(&[
    "allow_token_expiration",
    "change_mode",
    "change_signal",
    "cluster",
    "disable_file",
    "env",
    "namespace",
    "policies",
    "role",
]);
