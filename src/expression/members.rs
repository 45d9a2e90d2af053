//! The table of members: what every type offers, with signature and function.

mod arguments;
mod call;
mod signature;
mod tables;

use std::fmt;

pub(super) use call::Call;
pub(super) use signature::{Parameter, Signature};
pub(super) use tables::zone;

use super::eval::node::How;
use super::scope::ContextMember;
use super::types::{Type, implicit};
use super::value::Value;
use super::value::thrown::Thrown;

/// A member that may be meant.
pub(super) struct Candidate {
    pub(super) member: &'static Member,
    /// What the arguments of the type it belongs to are.
    pub(super) bound: Vec<(&'static str, Type)>,
    /// How far from the type it is declared: what is nearer wins wherever it fits, so that a
    /// type's own members come before those of LINQ.
    pub(super) distance: usize,
    /// Whether it is one of LINQ: the type of the items is then the first of the type arguments
    /// that it can be called with.
    pub(super) is_linq: bool,
}

/// What a member is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MemberKind {
    Property,
    Method,
    StaticProperty,
    StaticMethod,
    Constructor,
    Index,
    SetIndex,
    SetProperty,
}

/// A member of a type. Signatures are written as in C#, with `T`, `K` and `V` for the type's own
/// arguments, and the member's own ones in angle brackets after its name.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a row of a table")]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) kind: MemberKind,
    pub(super) parameters: &'static str,
    pub(super) result: &'static str,
    pub(super) run: Run,
    /// Whether the same arguments give the same result and nothing else happens.
    pub(super) pure: bool,
    /// Whether it looks at null itself.
    accepts_null: bool,
    volatile: bool,
    /// Whether it does the same however much its object holds.
    brief: bool,
    /// Whether it asks a token where it is.
    places: bool,
}

/// What the constructors of sorted dictionaries and sets are called.
pub(super) const SORTED: &str = "new sorted";

/// How a member is run. The value it belongs to is argument 0, static members have none.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// From its arguments alone.
    Pure(fn(&[Value]) -> Result<Value, Thrown>),
    /// With the running evaluation: lambdas, the request, the clock.
    Call(fn(&mut Call<'_, '_>) -> Result<Value, Thrown>),
    /// A part of `context`.
    Context(ContextMember),
    /// A part of `context` that is looked up in the request, so that the value it belongs to is
    /// not needed as a whole.
    Lookup(fn(&mut Call<'_, '_>) -> Result<Value, Thrown>),
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({})", self.name, self.parameters)
    }
}

impl Member {
    const fn new(name: &'static str, kind: MemberKind, result: &'static str, run: Run) -> Self {
        let pure = matches!(run, Run::Pure(_));
        Self {
            name,
            kind,
            parameters: "",
            result,
            run,
            pure,
            accepts_null: false,
            volatile: false,
            brief: false,
            places: false,
        }
    }

    const fn taking(mut self, parameters: &'static str) -> Self {
        self.parameters = parameters;
        self
    }

    /// Marks what changes its object or gives a new one each time.
    const fn effect(mut self) -> Self {
        self.pure = false;
        self
    }

    /// Marks what gives something else each time it is asked.
    const fn volatile(mut self) -> Self {
        self.pure = false;
        self.volatile = true;
        self
    }

    /// Marks what does the same however much its object holds, such as `Add` and `Count`.
    const fn brief(mut self) -> Self {
        self.pure = false;
        self.brief = true;
        self
    }

    /// Marks what asks a token where it is.
    const fn placed(mut self) -> Self {
        self.pure = false;
        self.places = true;
        self
    }

    /// Marks what looks at null itself.
    const fn nullable(mut self) -> Self {
        self.accepts_null = true;
        self
    }

    /// The same as a static property.
    const fn into_property(mut self) -> Self {
        self.kind = MemberKind::StaticProperty;
        self.volatile()
    }

    /// The name without the type parameters.
    pub(super) fn bare_name(&self) -> &'static str {
        self.name.split('<').next().unwrap_or(self.name)
    }

    /// The names of its own type parameters.
    pub(super) fn type_parameters(&self) -> impl Iterator<Item = &'static str> {
        let inner = self.name.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
        inner.unwrap_or("").split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// Whether it may be called on null, as extension methods may.
    pub(super) const fn takes_null(&self) -> bool {
        self.accepts_null
    }

    /// Whether it asks a token where it is.
    pub(super) const fn asks_for_places(&self) -> bool {
        self.places
    }

    /// Whether it costs the same however much its object holds.
    pub(super) const fn is_brief(&self) -> bool {
        self.brief
    }

    /// Whether it asks for the time or for random numbers, or writes a trace.
    pub(super) const fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Whether running it makes something new, which counts as memory.
    pub(super) const fn makes_values(&self) -> bool {
        matches!(self.kind, MemberKind::Method | MemberKind::StaticMethod | MemberKind::Constructor)
    }

    /// Whether its object is only a way to it.
    pub(super) const fn is_lookup(&self) -> bool {
        matches!(self.run, Run::Lookup(_))
    }
}

/// The members called `name` of those kinds, with what the type's own arguments are. Members of
/// the type come before those of what it derives from.
pub(super) fn candidates(ty: &Type, name: &str, kinds: &[MemberKind]) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for (distance, listed) in tables::of(ty).into_iter().enumerate() {
        let tables::Listed { members, bound, is_linq } = listed;
        for member in members {
            if kinds.contains(&member.kind) && member.bare_name() == name {
                found.push(Candidate { member, bound: bound.clone(), distance, is_linq });
            }
        }
        // A constructor or an operator belongs to one type alone.
        let own = kinds.iter().any(|kind| {
            matches!(kind, MemberKind::Constructor | MemberKind::Property | MemberKind::SetIndex)
        });
        if own && !found.is_empty() {
            break;
        }
    }
    found
}

/// The methods of LINQ called `name`, for a sequence of `element`.
pub(super) fn linq(element: &Type, name: &str) -> Vec<Candidate> {
    let named = tables::linq().filter(|member| member.bare_name() == name);
    let bound = || vec![("T", element.clone())];
    named.map(|member| Candidate { member, bound: bound(), distance: 0, is_linq: true }).collect()
}

/// Whether this is a method of LINQ.
pub(super) fn is_linq(member: &'static Member) -> bool {
    tables::linq().any(|known| std::ptr::eq(known, member))
}

/// Whether a member called `name` of a type that is not known may ask a token where it is.
pub(super) fn may_ask_for_places(name: &str) -> bool {
    let token = Type::Class(super::types::Class::JToken);
    candidates(&token, name, &[MemberKind::Property, MemberKind::Method])
        .iter()
        .any(|found| found.member.places)
}

/// The names of the members of `ty`, for remedies.
pub(super) fn names(ty: &Type, statics: bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    for listed in tables::of(ty) {
        for member in listed.members {
            let is_static =
                matches!(member.kind, MemberKind::StaticMethod | MemberKind::StaticProperty);
            let of_value = matches!(member.kind, MemberKind::Method | MemberKind::Property);
            let wanted = if statics { is_static } else { of_value };
            if wanted {
                names.push(member.bare_name());
            }
        }
    }
    names
}

/// The member of a value whose type shows only now.
pub(super) fn at_run_time(
    ty: &Type,
    name: &str,
    how: How,
    arguments: &[Type],
) -> Option<(&'static Member, Signature)> {
    let kind = match how {
        How::Get => MemberKind::Property,
        How::Call => MemberKind::Method,
        How::Index => MemberKind::Index,
        How::SetIndex => MemberKind::SetIndex,
        How::Set => MemberKind::SetProperty,
    };
    let mut best: Option<((usize, u32), &'static Member, Signature)> = None;
    for Candidate { member, bound, distance, .. } in candidates(ty, name, &[kind]) {
        let Some(signature) = member.signature() else { continue };
        let signature = signature.with(&bound);
        if !signature.takes(arguments.len()) || signature.parameters.iter().any(|p| p.rest) {
            continue;
        }
        let costs = arguments.iter().zip(&signature.parameters);
        let cost = costs.map(|(ty, parameter)| at_run_time_cost(ty, &parameter.ty));
        let cost = cost.sum::<Option<u32>>();
        let Some(cost) = cost else { continue };
        let rank = (distance, cost);
        if best.as_ref().is_none_or(|(known, _, _)| rank < *known) {
            best = Some((rank, member, signature));
        }
    }
    best.map(|(_, member, signature)| (member, signature))
}

/// What it costs to give a value of the type `found` where `wanted` is asked for. A value of an
/// enumeration is its number when it is there.
fn at_run_time_cost(found: &Type, wanted: &Type) -> Option<u32> {
    let is_enumeration = matches!((found, wanted), (Type::Int, Type::Enumeration(_)));
    if is_enumeration { Some(0) } else { implicit(found, wanted) }
}
