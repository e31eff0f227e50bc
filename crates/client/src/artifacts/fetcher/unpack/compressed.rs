//! What is around an archive.
use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::Problem;
use crate::artifacts::order::Packed;

/// Windows of xz and zstd are no larger: the default of their strongest levels.
const WINDOW_KIB: u32 = 256 << 10;

/// The bytes inside.
pub(super) fn reader(
    file: impl BufRead + 'static,
    packed: Packed,
) -> Result<Box<dyn Read>, Problem> {
    Ok(match packed {
        Packed::Plain => Box::new(file),
        Packed::Gz => Box::new(MultiGzDecoder::new(file)),
        Packed::Bz2 => Box::new(MultiBzDecoder::new(file)),
        Packed::Xz => Box::new(XzReader::new_mem_limit(file, true, WINDOW_KIB)),
        Packed::Zst => Box::new(Frames::new(file)?),
    })
}

/// zstd's frames one after the other, those without content skipped.
struct Frames<R> {
    file: R,
    /// Of the frame that is being read.
    decoder: Option<FrameDecoder>,
}

impl<R: BufRead> Frames<R> {
    fn new(mut file: R) -> Result<Self, Problem> {
        let decoder = Self::begin(&mut file)
            .and_then(|first| first.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()))
            .map_err(Problem::archive)?;
        Ok(Frames {
            file,
            decoder: Some(decoder),
        })
    }

    /// `None`: nothing follows.
    fn begin(file: &mut R) -> io::Result<Option<FrameDecoder>> {
        while !file.fill_buf()?.is_empty() {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(u64::from(WINDOW_KIB) << 10);
            match decoder.init(&mut *file) {
                Ok(()) => return Ok(Some(decoder)),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut file.take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let got = decoder.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            if decoder.is_finished() {
                self.decoder = Self::begin(&mut self.file)?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                decoder
                    .decode_blocks(&mut self.file, one)
                    .map_err(io::Error::other)?;
            }
        }
        Ok(0)
    }
}
