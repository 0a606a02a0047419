//! Types that check the shape of JSON and keep nothing of it, so that a session of any size is
//! checked in one pass without a tree.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Any text.
#[derive(Debug)]
pub(crate) struct Text;

/// Any object.
pub(crate) type Object = Map<IgnoredAny>;

/// An array of `T`.
#[derive(Debug)]
pub(crate) struct List<T>(PhantomData<T>);

/// An object whose values are all `T`.
#[derive(Debug)]
pub(crate) struct Map<T>(PhantomData<T>);

/// An object whose values are all `T`, with the names of its members.
#[derive(Debug)]
pub(crate) struct Names<T> {
    pub(crate) names: Vec<String>,
    values: PhantomData<T>,
}

/// An array of text, kept.
#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Texts(pub(crate) Vec<String>);

/// An object with the members of `T`. A derived `Deserialize` alone would take an array as well.
#[derive(Debug)]
pub(crate) struct Record<T>(pub(crate) T);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Record<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Names<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamesVisitor(PhantomData))
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Text, E> {
        Ok(Text)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        while items.next_element::<T>()?.is_some() {}
        Ok(List(PhantomData))
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapVisitor<T> {
    type Value = Map<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Map<T>, A::Error> {
        while members.next_entry::<Text, T>()?.is_some() {}
        Ok(Map(PhantomData))
    }
}

struct NamesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamesVisitor<T> {
    type Value = Names<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Names<T>, A::Error> {
        let mut names = Vec::new();
        while let Some((name, _)) = members.next_entry::<String, T>()? {
            names.push(name);
        }
        Ok(Names { names, values: PhantomData })
    }
}

struct RecordVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RecordVisitor<T> {
    type Value = Record<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Record<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Record)
    }
}
