"""The tables, in portable SQLAlchemy: the same on SQLite and PostgreSQL."""

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the emulator."""


class SchemaStamp(Base):
    """One row: which version of the tables this database has."""

    __tablename__ = "schema_stamp"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class UploadSessionRow(Base):
    """An upload session. Sizes are text because the service's 64 unsigned bits fit no portable integer."""

    __tablename__ = "upload_session"

    store: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    size: Mapped[str] = mapped_column(String(20))
    modified_ns: Mapped[int] = mapped_column(BigInteger, index=True)
    received: Mapped[bytes] = mapped_column(LargeBinary)
    chunk_count: Mapped[int] = mapped_column(BigInteger)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    is_misfit: Mapped[bool] = mapped_column(Boolean)
    staging: Mapped[str] = mapped_column(String(32))
    published: Mapped[str] = mapped_column(String(64))
