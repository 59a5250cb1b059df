"""The tables, in portable SQLAlchemy: the same on SQLite and PostgreSQL."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

SCHEMA_STAMP = Table(
    "schema_stamp",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
)
"""One row: which version of the tables this database has."""

UPLOAD_SESSION = Table(
    "upload_session",
    METADATA,
    Column("store", String(128), primary_key=True),
    Column("session_id", String(36), primary_key=True),
    Column("path", Text, nullable=False),
    Column("size", String(20), nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("received", LargeBinary, nullable=False),
    Column("chunk_count", BigInteger, nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("is_misfit", Boolean, nullable=False),
    Column("staging", String(32), nullable=False),
    Column("published", String(80), nullable=False),
)
"""Upload sessions. A size is text because the service's 64 unsigned bits fit no portable integer.

No index on the date: each chunk would have to move its session in it, and only the sweep, once a minute, goes by it.
"""
