//! Whether every replica serves a generation.

use crate::admin::findings::last_error;
use crate::admin::shape::{Seen, Together};
use crate::configuration::cluster::record::Member;

/// Whether every replica serves a generation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It, or a later one.
    Served,
    /// And will not: why.
    Refused(Vec<String>),
    /// Who lacks it, or why that is not known.
    NotYet(Vec<String>),
}

impl Verdict {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused(_) => "refused",
            Self::NotYet(_) => "late",
        }
    }

    pub(super) fn because(&self) -> &[String] {
        match self {
            Self::Served => &[],
            Self::Refused(because) | Self::NotYet(because) => because,
        }
    }
}

/// Whether every replica serves `wanted`, or a later one. This gateway had refused so many
/// configurations as `refused_before` when the wait began.
pub(super) fn judge(seen: &Seen, wanted: u64, refused_before: u64) -> Verdict {
    let verdict = match &seen.cluster {
        Some(cluster) => of_cluster(cluster, wanted),
        None if wanted <= seen.configuration.generation => Verdict::Served,
        None => {
            let serving = seen.configuration.generation;
            Verdict::NotYet(vec![format!("the gateway serves generation {serving}")])
        }
    };
    match (verdict, seen.configuration.faults.first()) {
        (Verdict::NotYet(_), Some(fault)) if refused_before < seen.configuration.refused => {
            Verdict::Refused(vec![format!("the newest configuration is refused: {fault}")])
        }
        (Verdict::NotYet(mut because), Some(fault)) => {
            because.push(format!("the newest configuration is refused: {fault}"));
            Verdict::NotYet(because)
        }
        (verdict, _) => verdict,
    }
}

fn of_cluster(cluster: &Together, wanted: u64) -> Verdict {
    let Some(in_force) = &cluster.in_force else {
        return Verdict::NotYet(vec!["nothing is in force yet".to_owned()]);
    };
    if let Some(reason) = &in_force.reason
        && in_force.previous < wanted
        && wanted < in_force.generation
    {
        return Verdict::Refused(vec![reason.clone()]);
    }
    if let Some(trouble) = &cluster.trouble {
        let told = "how the replicas are doing is not known, their store is out of reach";
        return Verdict::NotYet(vec![format!("{told}: {trouble}")]);
    }
    if in_force.generation < wanted {
        let published = in_force.generation;
        return Verdict::NotYet(vec![format!("generation {published} is the newest published")]);
    }
    let history = cluster.replicas.iter().map(|replica| replica.history).max().unwrap_or(0);
    let lacks = |replica: &&Member| replica.serving < wanted || replica.history < history;
    let lacking: Vec<&Member> = cluster.replicas.iter().filter(lacks).collect();
    let refuses = |replica: &&&Member| wanted <= replica.refused;
    let refusing: Vec<String> =
        lacking.iter().filter(refuses).map(|replica| lack(replica)).collect();
    if !refusing.is_empty() {
        return Verdict::Refused(refusing);
    }
    if !lacking.is_empty() {
        return Verdict::NotYet(lacking.into_iter().map(lack).collect());
    }
    if cluster.replicas.iter().all(|replica| replica.replica != cluster.replica) {
        return Verdict::NotYet(vec![format!("{} is not among the replicas yet", cluster.replica)]);
    }
    Verdict::Served
}

fn lack(replica: &Member) -> String {
    let serves = format!("{} serves generation {}", replica.replica, replica.serving);
    match last_error(replica) {
        Some(error) => format!("{serves}: it {error}"),
        None if replica.serving < replica.prepared => {
            format!("{serves}, and has {} ready", replica.prepared)
        }
        None => serves,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admin::findings::tests::told;

    fn judged(wanted: u64, change: impl FnOnce(&mut Value)) -> Verdict {
        let mut told = told();
        change(&mut told);
        judge(&Seen::of(told).unwrap(), wanted, 0)
    }

    fn because(verdict: &Verdict) -> String {
        format!("{}: {}", verdict.name(), verdict.because().join("; "))
    }

    #[test]
    fn it_is_served_once_every_replica_serves_it_or_a_later_one() {
        assert_eq!(judged(6, |_| ()), Verdict::Served);
        assert_eq!(judged(5, |_| ()), Verdict::Served);
        let late = judged(7, |_| ());
        let has = "serves generation 6, and has 7 ready";
        assert_eq!(because(&late), format!("late: a {has}; b {has}"));
        let next = judged(8, |_| ());
        assert_eq!(because(&next), "late: generation 7 is the newest published");
    }

    #[test]
    fn a_refusal_ends_the_wait() {
        let refused = judged(7, |told| {
            let canary = &mut told["cluster"]["replicas"][0];
            canary["serving"] = 6.into();
            (canary["refused"], canary["faults"]) = (7.into(), json!(["it is bad"]));
        });
        assert_eq!(
            because(&refused),
            "refused: c serves generation 6: it refuses generation 7: it is bad"
        );
    }

    #[test]
    fn what_was_taken_back_is_not_what_came_after_it() {
        let back = |told: &mut Value| {
            let reason = "generation 7 was taken back: c refuses it: x";
            told["cluster"]["inForce"] = json!({
                "generation": 8, "stage": "all", "previous": 6, "reason": reason,
            });
            for replica in told["cluster"]["replicas"].as_array_mut().unwrap() {
                replica["serving"] = 8.into();
            }
        };
        assert_eq!(
            because(&judged(7, back)),
            "refused: generation 7 was taken back: c refuses it: x"
        );
        assert_eq!(judged(8, back), Verdict::Served);
        assert_eq!(judged(6, back), Verdict::Served);
    }

    #[test]
    fn what_was_last_seen_is_not_known() {
        let unknown = judged(6, |told| told["cluster"]["trouble"] = "no route".into());
        assert_eq!(
            because(&unknown),
            "late: how the replicas are doing is not known, their store is out of reach: no route"
        );
        let alone = judged(6, |told| told["cluster"]["replicas"] = json!([]));
        assert_eq!(because(&alone), "late: a is not among the replicas yet");
        let former = judged(6, |told| {
            told["cluster"]["replicas"][1]["serving"] = 9.into();
            told["cluster"]["replicas"][0]["history"] = 2.into();
            told["cluster"]["replicas"][2]["history"] = 2.into();
        });
        assert_eq!(because(&former), "late: a serves generation 9");
    }

    #[test]
    fn a_gateway_alone_is_judged_by_itself_and_a_refusal_from_before_does_not_end_the_wait() {
        let alone = |told: &mut Value| drop(told.as_object_mut().unwrap().remove("cluster"));
        assert_eq!(judged(6, alone), Verdict::Served);
        assert_eq!(because(&judged(7, alone)), "late: the gateway serves generation 6");
        let mut told = told();
        alone(&mut told);
        told["configuration"]["faults"] = json!(["x.yaml:1:1: bad"]);
        told["configuration"]["refused"] = 2.into();
        let seen = Seen::of(told).unwrap();
        let refusal = "the newest configuration is refused: x.yaml:1:1: bad";
        assert_eq!(because(&judge(&seen, 7, 1)), format!("refused: {refusal}"));
        let before = format!("late: the gateway serves generation 6; {refusal}");
        assert_eq!(because(&judge(&seen, 7, 2)), before);
    }
}
