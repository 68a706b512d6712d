#!/usr/bin/env python3
"""Archives for the unpacking tests, made into the folder given: good/* must unpack, bad/* must be refused.

bad/NAME is listed in bad/EXPECT as "NAME<tab>words of the message".
"""
import gzip
import io
import lzma
import os
import struct
import sys
import tarfile
import zipfile

TOP = sys.argv[1]
os.makedirs(TOP + "/good")
os.makedirs(TOP + "/bad")
expect = open(TOP + "/bad/EXPECT", "w")
JPEG = b"\xff\xd8\xff\xe0 not really a picture " + bytes(range(256)) * 4


def put(kind, name, data, words=None):
    with open("%s/%s/%s" % (TOP, kind, name), "wb") as f:
        f.write(data)
    if words:
        expect.write("%s\t%s\n" % (name, words))


def make_zip(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, data, *attr in members:
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.compress_type = compression
            info.external_attr = (attr[0] if attr else 0o100644) << 16
            z.writestr(info, data)
    return out.getvalue()


def member(name, data=JPEG, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def make_tar(members, form=tarfile.GNU_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as t:
        for info, data in members:
            t.addfile(info, io.BytesIO(data) if info.size else None)
    return out.getvalue()


def two(prefix):
    return [("%sNormal/Normal- (%d).jpg" % (prefix, i), JPEG) for i in (1, 12)] + \
           [("%sTumor/Tumor- (%d).jpg" % (prefix, i), JPEG + b"t") for i in (1, 2, 3)]


plain = two("kidney-ct-scan-image/")
good_tar = make_tar([member(n, d) for n, d in plain])

# ---- good ----
put("good", "seed.zip", make_zip([("kidney-ct-scan-image/", b"", 0o40755)] + plain))
put("good", "stored.zip", make_zip(plain, zipfile.ZIP_STORED))
put("good", "othername.zip", make_zip(two("my data set/") + [("my data set/README.md", b"x")]))
put("good", "notop.zip", make_zip(two("")))
put("good", "deep.zip", make_zip(two("a/b/c/") + [("a/LICENSE", b"x")]))
put("good", "mac.zip", make_zip(two("x/") + [("__MACOSX/x/Normal/._Normal- (1).jpg", b"x"),
                                            ("x/.DS_Store", b"x")]))
put("good", "dotted.tar", make_tar([member("./", b"", tarfile.DIRTYPE)] +
                                   [member("./" + n, d) for n, d in plain]))
put("good", "pax.tar", make_tar([member(n, d) for n, d in plain], tarfile.PAX_FORMAT))
put("good", "gz.tar.gz", gzip.compress(good_tar))
put("good", "xz.tar.xz", lzma.compress(good_tar))
put("good", "wrongname.zip", gzip.compress(good_tar))
put("good", "unicode.zip", make_zip(two("bilder/") + [("bilder/Normal/sch\u00f6n \u4e2d.jpg", JPEG)]))
put("good", "modes.zip", make_zip([(n, d, 0o104777) for n, d in plain]))

# ---- bad names ----
for name, path, words in (
        ("dotdot", "../evil.jpg", "leads out of the archive"),
        ("dotdot-inside", "x/Normal/../../../evil.jpg", "leads out of the archive"),
        ("absolute", "/tmp/nephron-evil.jpg", "is absolute"),
        ("drive", "C:evil.jpg", "drive letter"),
        ("control", "x/Normal/a\x1b[2J.jpg", "control character"),
        ("component", "x/" + "n" * 256 + ".jpg", "longer than 255 bytes"),
        ("longname", "x/" + "/".join(["n" * 200] * 6) + ".jpg", "longer than 1024 bytes"),
        ("depth", "/".join("d%d" % i for i in range(33)) + "/a.jpg", "deeper than 32")):
    put("bad", name + ".zip", make_zip(plain + [(path, JPEG)]), words)
    put("bad", name + ".tar.gz", gzip.compress(make_tar([member(n, d) for n, d in plain] +
                                                        [member(path)])), words)
put("bad", "backslash.tar", make_tar([member("x/Normal\\..\\..\\evil.jpg")]), "backslash")
put("bad", "backslash.zip", make_zip([("x/Normal\\a.jpg", JPEG)]), "backslash")
put("bad", "latin1.zip", make_zip(plain + [("x/Normal/caf_.jpg", JPEG)]).replace(b"caf_", b"caf\xe9"),
    "UTF-8")

# ---- bad kinds ----
put("bad", "symlink.zip", make_zip(plain + [("x/link", b"/etc/passwd", 0o120777)]), "symbolic link")
put("bad", "through-link.tar", make_tar([member("x/out", b"", tarfile.SYMTYPE, "/tmp"),
                                         member("x/out/nephron-evil.jpg")]), "symbolic link")
put("bad", "hardlink.tar", make_tar([member("x/hard", b"", tarfile.LNKTYPE, "/etc/passwd")]), "hard link")
put("bad", "device.tar", make_tar([member("x/dev", b"", tarfile.CHRTYPE)]), "device")
put("bad", "fifo.tar", make_tar([member("x/fifo", b"", tarfile.FIFOTYPE)]), "FIFO")
put("bad", "twice.tar", make_tar([member("x/Normal/a.jpg"), member("x/Normal/a.jpg", b"other")]), "twice")
put("bad", "filefolder.tar", make_tar([member("x/Normal"), member("x/Normal/a.jpg")]), "a file and a folder")

# ---- bad bytes ----
stored = bytearray(make_zip(plain, zipfile.ZIP_STORED))
stored[stored.index(JPEG) + 40] ^= 1
put("bad", "crc.zip", bytes(stored), "damaged or cut short")
seed = make_zip(plain)
put("bad", "half.zip", seed[:len(seed) // 2], "damaged or cut short")
put("bad", "nodirectory.zip", seed[:seed.index(b"PK\1\2") + 20], "damaged or cut short")
locked = bytearray(seed)
for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
    i = locked.find(mark)
    while i >= 0:
        locked[i + at] |= 1
        i = locked.find(mark, i + 4)
put("bad", "encrypted.zip", bytes(locked), "encrypted")
gz = gzip.compress(good_tar)
put("bad", "half.tar.gz", gz[:len(gz) // 2], "damaged or cut short")
put("bad", "gzcrc.tar.gz", gz[:-8] + bytes([gz[-8] ^ 1]) + gz[-7:], "gzip checksum")
put("bad", "notrailer.tar.gz", gz[:-4], "cut short")
xz = bytearray(lzma.compress(good_tar))
xz[-30] ^= 1
put("bad", "xz.tar.xz", bytes(xz), "damaged or cut short")
put("bad", "twolayers.tar.gz", gzip.compress(gz), "more than once")
one = make_tar([member("x/Normal/a.jpg")])
put("bad", "noend.tar", one[:512 + 512 * ((len(JPEG) + 511) // 512)], "no end marker")
put("bad", "half.tar", good_tar[:700], "damaged or cut short")
put("bad", "page.zip", b"<!DOCTYPE html><html>log in</html>", "a web page")
put("bad", "empty.zip", b"", "an empty file")
put("bad", "noise.zip", bytes((i * 7919 + 13) % 251 for i in range(2000)), "something else")
put("bad", "nofiles.zip", b"PK\5\6" + bytes(18), "damaged or cut short")
put("bad", "noimages.zip", make_zip([("x/a.txt", b"x")]), "found other files only")
put("bad", "noclass.zip", make_zip([("a.jpg", JPEG)]), "images that are in no folder")
put("bad", "rar.zip", b"Rar!\x1a\x07\x00" + bytes(100), "something else")

# ---- bombs ----
zeros = bytes(24 << 20)
put("bad", "bomb.zip", make_zip([("x/Normal/a.jpg", zeros)]), "limits.unpack_ratio")
put("bad", "bomb.tar.gz", gzip.compress(make_tar([member("x/Normal/a.jpg", zeros)])), "limits.unpack_ratio")
put("bad", "bomb.tar.xz", lzma.compress(make_tar([member("x/Normal/a.jpg", zeros)])), "limits.unpack_ratio")
# Overlapping members: the directory names one stretch of data many times (Fifield 2019).
base = make_zip([("x/Normal/a000.jpg", bytes(9 << 20))])
cd = base.index(b"PK\1\2")
entry = base[cd:base.index(b"PK\5\6")]
many = b"".join(entry.replace(b"a000", b"a%03d" % i) for i in range(40))
eocd = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 40, 40, len(many), cd, 0)
put("bad", "overlap.zip", base[:cd] + many + eocd, "promises 40 members")
expect.close()
